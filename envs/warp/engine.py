"""N worlds of one MuJoCo model in MuJoCo Warp: on a GPU, or slowly on a processor. Numbers are float32 throughout.

What a task reads are torch tensors on the engine's device. Nothing derived is computed before somebody asks for it; to
ask about few worlds costs what all cost. What follows from a changed model value is worked out by MuJoCo itself, in the
`books`, a `MujocoEngine` of the same worlds on the host, and only then copied to the device.
"""

import copy
from functools import cached_property
from typing import Any

import array_api_compat.torch as xp
import mujoco
import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core import Array, UnknownNameError
from robossl.core.errors import require_known
from robossl.envs.forks import end_in_children
from robossl.envs.host import on_host
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import PASSING_FIELDS, STATE_FIELDS, VISIBLE_GROUPS, columns_of
from robossl.envs.records import STATE, Start
from robossl.envs.warp.fields import (
    KINEMATICS,
    NO_STAGE,
    PLACES,
    RANDOM_FIELDS,
    READABLE_FIELDS,
    RECORDABLE_FIELDS,
    least_frictions,
    require_random,
    stage_of,
)
from robossl.envs.warp.library import device_named, tell_of_compilation
from robossl.envs.warp.refusals import require_values
from robossl.envs.warp.worlds import WarpWorlds


class WarpEngine:
    """See `Engine`. A world that diverges is put back to its defaults within the substep, and stays flagged.

    Attributes:
        worlds: in MuJoCo Warp's memory; renderers read there what this engine has no name for.
        model_version: [N], raised for a world whenever its model values change.
    """

    xp: Any = xp
    feels_late = False
    passing_fields = PASSING_FIELDS
    contact_slack_m = 0.03  # of cylinders

    def __init__(self, model: mujoco.MjModel, num_worlds: int, num_threads: int, device: str | None = None) -> None:
        place = device_named(device)
        tell_of_compilation()
        self.model = copy.copy(model)
        self.model.opt.disableflags &= ~mujoco.mjtDisableBit.mjDSBL_AUTORESET.value  # has no such flag, nor resets
        self.num_worlds, self.num_threads = num_worlds, num_threads
        self.worlds = WarpWorlds(self.model, num_worlds, place)
        self.device = self.worlds.torch_device
        if self.device.type != "cpu":
            end_in_children(self)
        self.model_version = np.zeros(num_worlds, np.int64)
        self._computed = self._wanted = NO_STAGE
        self._stale = np.zeros(num_worlds, bool)  # worlds whose model values the device does not have yet
        self._told: set[str] = set()  # model fields that the device has for every world
        self._least = least_frictions(model)
        self._kept: dict[str, torch.Tensor] = {}
        self._columns: dict[tuple[str, ...], torch.Tensor] = {}  # {state fields: theirs in the state}
        self.reset(np.arange(num_worlds))

    def reset(self, ids: NDArray[np.int64], fields: tuple[str, ...] = (), values: Array | None = None) -> None:
        """See `Engine.reset`."""
        state = self.worlds.default.expand(len(ids), -1)
        if fields:
            if fields not in self._columns:
                self._columns[fields] = self._rows(columns_of(self.model, fields))
            state = state.clone()
            state[:, self._columns[fields]] = self._tensor(values)
        self._put(state, self._rows(ids))

    def begin(self, ids: NDArray[np.int64], start: Start) -> None:
        """See `Engine.begin`."""
        self.reset(ids, start.names.state, start.of(STATE))
        for field in start.names.model:
            self.randomise(field, start.of(field), ids)

    def forward(self, ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.forward`: what is derived follows when it is read."""
        self._tell_changes()
        self._computed = NO_STAGE

    def step(
        self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = (), *, more: bool = False
    ) -> dict[str, Array]:
        """See `Engine.step`. What is recorded of a world after it diverged is not to be used."""
        require_known("field to record", record, RECORDABLE_FIELDS)
        self._tell_changes()
        self.worlds.tensor("ctrl")[...] = self._tensor(ctrl)
        shapes = {name: self._bound(name).shape for name in record}
        recorded = {name: self._empty((shape[0], num_substeps, *shape[1:])) for name, shape in shapes.items()}
        states = STATE_FIELDS.intersection(record)
        self.worlds.put_aside()
        for substep in range(num_substeps):
            for name in states:
                recorded[name][:, substep] = self._bound(name)
            self.worlds.step()
            for name in recorded.keys() - states:
                recorded[name][:, substep] = self._bound(name)
        self.worlds.diverged |= self.worlds.overflown()
        self._computed = NO_STAGE
        return recorded

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> Array:
        """See `Engine.read`."""
        if ids is not None and len(ids) == 0:
            return self._empty((0, *self._bound(name).shape[1:]))
        values = self.view(name)
        values = values if ids is None else values[self._rows(ids)]
        return values.to(torch.float32, copy=True)

    def view(self, name: str) -> Array:
        """See `Engine.view`."""
        values = self._bound(name)
        self._compute(stage_of(name, self.model))
        return values

    def write(self, name: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.write`."""
        if name not in STATE_FIELDS:
            raise UnknownNameError("state field", name, STATE_FIELDS)
        own = self.worlds.tensor(name)
        own[self._rows(ids)] = self._tensor(values).to(own.dtype)
        self._computed = NO_STAGE

    def jac(self, body: int, point: Array, ids: NDArray[np.int64] | None = None) -> tuple[Array, Array]:
        """See `Engine.jac`. With `ids`, points and Jacobians are those of the worlds `ids` alone."""
        self._compute(KINEMATICS)
        points = self._tensor(point)
        if ids is None:
            return self.worlds.jac(body, points)
        rows = self._rows(ids)
        translation, rotation = self.worlds.jac(body, self._spread(points, rows))
        return translation[rows], rotation[rows]

    def scan(
        self,
        start: Array,
        axes: Array,
        directions: NDArray[np.float64],
        ids: NDArray[np.int64],
        *,
        hidden_body: int = -1,
        least_m: float = 0.0,
    ) -> Array:
        """See `Engine.scan`: visible are the geom groups 0-2."""
        self._compute(KINEMATICS)
        rows = self._rows(ids)
        direction = self._tensor(directions) @ self._tensor(axes).transpose(1, 2)
        begin = self._tensor(start)[:, None] + least_m * direction
        begin, direction = self._spread(begin, rows), self._spread(direction, rows)
        distance = self.worlds.rays(begin, direction, hidden_body, VISIBLE_GROUPS)[rows]
        return torch.where(distance >= 0, distance + least_m, -1.0)

    def randomise(self, field: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.randomise`; consequences are those of `MujocoEngine.randomise`.

        Raises:
            UserError: if the field cannot differ between worlds here, or if what follows from it cannot be computed.
        """
        require_random((field,))
        require_values(self.model, field, on_host(values))
        self.books.randomise(field, on_host(values), ids)
        self._stale[ids] = True
        self.model_version[ids] += 1
        self._computed = NO_STAGE

    def model_values(self) -> dict[str, Array]:
        """See `Engine.model_values`; on the host, where they are kept."""
        return self.books.model_values() if "books" in self.__dict__ else {}

    def own_values(self, field: str) -> NDArray[np.float64] | None:
        """See `Engine.own_values`; on the host."""
        return self.books.own_values(field) if "books" in self.__dict__ else None

    def get_state(self) -> NDArray[np.float64]:
        """See `Engine.get_state`; the columns are MuJoCo's mjSTATE_INTEGRATION."""
        state = self._empty((self.num_worlds, self.worlds.num_columns))
        for name, columns in self.worlds.state.items():
            state[:, columns] = self.worlds.tensor(name).reshape(self.num_worlds, -1).to(torch.float32)
        return np.asarray(on_host(state), np.float64)

    def set_state(self, state: NDArray[np.float64], ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.set_state`."""
        self._put(self._tensor(state), self._rows(np.arange(self.num_worlds) if ids is None else ids))

    def require_state(self, state: NDArray[np.float64], model_values: dict[str, Array]) -> None:
        """See `Engine.require_state`."""
        require_random(model_values)
        if model_values:
            self.books.require_state(state, model_values)

    @torch.inference_mode(False)  # what it keeps serves outside of that, too; this also turns gradients on
    @torch.no_grad()
    def keep(self, *, whole: bool) -> None:
        """See `Engine.keep`."""
        for name in self.worlds.state:
            own = self.worlds.tensor(name)
            if name in self._kept:
                self._kept[name].copy_(own)
            else:
                self._kept[name] = own.clone()

    def take_back(self, ids: NDArray[np.int64]) -> None:
        """See `Engine.take_back`."""
        rows = self._rows(ids)
        for name, kept in self._kept.items():
            self.worlds.tensor(name)[rows] = kept[rows]
        self.worlds.heal(rows)
        self._computed = NO_STAGE

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """See `Engine.diverged`."""
        return self.worlds.flags()

    @cached_property
    def books(self) -> MujocoEngine:
        """The same worlds in MuJoCo: their model values always, their states only where somebody puts them there."""
        return MujocoEngine(self.model, self.num_worlds, self.num_threads)

    def close(self) -> None:
        """See `Engine.close`."""
        if "books" in self.__dict__:
            self.books.close()

    def _put(self, state: torch.Tensor, rows: torch.Tensor) -> None:
        """Gives worlds the states [n, S]."""
        for name, columns in self.worlds.state.items():
            own = self.worlds.tensor(name)
            own[rows] = state[:, columns].reshape(len(rows), *own.shape[1:]).to(own.dtype)
        self.worlds.heal(rows)
        self._computed = NO_STAGE

    def _compute(self, stage: int) -> None:
        """Makes fields up to a stage current, and with them those that were asked for after other steps."""
        self._tell_changes()
        self._wanted = max(self._wanted, stage)
        if self._computed < stage:
            self.worlds.compute(self._wanted)
            self._computed = self._wanted

    def _tell_changes(self) -> None:
        """Copies model values of the worlds that changed, and all that follows from them, to the device."""
        if not self._stale.any():
            return
        ids = np.flatnonzero(self._stale)
        self.books.forward(ids)  # works out what follows
        for field in dict.fromkeys((*RANDOM_FIELDS, *mujoco.MjModel._setconst_outputs)):
            host = self.books.batch.expanded(field)
            device = None if host is None else self.worlds.expanded(field)
            if device is None or host is None:
                continue
            some = ids if field in self._told else np.arange(self.num_worlds)
            values = np.maximum(host[some], self._least[field]) if field in self._least else host[some]
            device[self._rows(some)] = self._tensor(values).reshape(len(some), *device.shape[1:]).to(device.dtype)
            self._told.add(field)
        if PLACES.intersection(self._told):
            self._move_fixed_geoms(ids)
        self._stale[:] = False

    def _move_fixed_geoms(self, ids: NDArray[np.int64]) -> None:
        model, rows = self.model, self._rows(ids)
        is_fixed = (model.body_weldid == 0) & (model.body_mocapid[model.body_rootid] < 0)
        geoms = self._rows(np.flatnonzero(is_fixed[model.geom_bodyid]))
        for name in ("geom_xpos", "geom_xmat"):
            values = self._tensor(self.books.read(name, ids))
            self.worlds.tensor(name)[rows[:, None], geoms] = values[:, geoms]

    def _bound(self, name: str) -> torch.Tensor:
        if name not in READABLE_FIELDS:
            raise UnknownNameError("field of the warp engine", name, READABLE_FIELDS)
        return self.worlds.tensor(name)

    def _spread(self, values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Returns values [n, ...] of some worlds as those [N, ...] of all; the others' are arbitrary."""
        if len(rows) == self.num_worlds and bool((rows == torch.arange(len(rows), device=self.device)).all()):
            return values
        everyone = torch.ones((self.num_worlds, *values.shape[1:]), dtype=values.dtype, device=self.device)
        everyone[rows] = values
        return everyone

    def _rows(self, ids: NDArray[np.int64]) -> torch.Tensor:
        return torch.as_tensor(ids, dtype=torch.int64, device=self.device)

    def _tensor(self, values: Array) -> torch.Tensor:
        """Brings numbers to the device, as float32."""
        if not isinstance(values, torch.Tensor):
            values = np.array(values, np.float32)  # a copy: torch takes no strides as those of records
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _empty(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.float32, device=self.device)
