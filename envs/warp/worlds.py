"""N worlds in MuJoCo Warp's memory, and the same memory as torch tensors, named and shaped as MuJoCo does."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.core.undisturbed import undisturbed
from robossl.envs.engine import MAX_SPEED
from robossl.envs.host import on_host
from robossl.envs.mujoco_fields import state_columns
from robossl.envs.warp.fields import ACCELERATION, KINEMATICS, POSITION, VELOCITY
from robossl.envs.warp.kernels import Infirmary
from robossl.envs.warp.library import mujoco_warp, warp
from robossl.envs.warp.refusals import require_known
from robossl.envs.warp.room import Room

_OVERFLOWS = int(
    mujoco_warp.OverflowType.ALL
    & ~(mujoco_warp.OverflowType.ITERATIONS | mujoco_warp.OverflowType.LS_ITERATIONS)  # no room was short
)
_OF_FLUIDS = ("opt.density", "opt.viscosity", "opt.wind")
_FARTHEST = 1e10  # at which MuJoCo, too, gives a world up: of positions, forces and controls
_FINITE = ("time", "history", "qacc_warmstart", "mocap_quat", "userdata", "plastic")  # of any size
_LIMITS = {"qvel": MAX_SPEED, **dict.fromkeys(_FINITE, np.inf)}
_MOVED = ("qpos", "qvel")  # in which a physics step that went astray shows
_CARRIED = (*_MOVED, "mocap_pos", "mocap_quat", "act", "qacc_warmstart")  # what one physics step hands to the next


class WarpWorlds:
    """Holds the worlds and computes them.

    Attributes:
        model, data: MuJoCo Warp's.
        torch_device: where the tensors are.
        state: {field: its columns in MuJoCo's mjSTATE_INTEGRATION}.
        num_columns: S of them.
        default: [S], the state of a world that was reset.
        diverged: [N], flags that stay until they are taken down.
    """

    def __init__(self, model: mujoco.MjModel, num_worlds: int, device: Any) -> None:
        self.num_worlds, self._device = num_worlds, device
        self.torch_device = torch.device(warp.device_to_torch(device))
        self._tensors: dict[str, torch.Tensor] = {}
        self._graphs: dict[str, Any] = {}
        self._warm: set[str] = set()  # what has run once: its kernels are loaded
        require_known(model)
        try:
            with self.at_work():
                self.model = mujoco_warp.put_model(model)
                self.model.opt.warn_overflow = 0  # a world that runs out of room is flagged instead
                self._room = Room(model, self.model)
                self.data = self._room.new_data(num_worlds, device)
        except (NotImplementedError, ValueError) as error:
            raise UserError(f"engine warp cannot run this model: {' '.join(str(error).split())}") from error
        except RuntimeError as error:
            if "allocate" not in str(error):
                raise
            raise UserError(f"engine warp: {num_worlds} worlds do not fit into the memory of {device}") from error
        columns = state_columns(model)
        self.state = {name: own for name, own in columns.items() if own.stop > own.start}
        self.num_columns = max(own.stop for own in columns.values())
        self.default = torch.tensor(default_state(model), dtype=torch.float32, device=self.torch_device)
        self.diverged = torch.zeros(num_worlds, dtype=torch.bool, device=self.torch_device)
        self._infirmary = self._new_infirmary()
        self._is_shortage_told = False

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Makes Warp work on the device, and on a GPU in torch's stream, so that each waits for the other."""
        with warp.ScopedDevice(self._device):
            if not self._device.is_cuda:
                yield
                return
            with warp.ScopedStream(warp.stream_from_torch(self.torch_device)):
                yield

    def tensor(self, field: str) -> torch.Tensor:
        """Returns the field's own memory [N, ...] as MuJoCo shapes it: matrices flat."""
        if field not in self._tensors:
            own = warp.to_torch(getattr(self.data, field))
            self._tensors[field] = own.flatten(-2) if field.endswith("mat") else own
        return self._tensors[field]

    def expanded(self, field: str) -> torch.Tensor | None:
        """Returns the memory [N, ...] of a model field, which it gives every world of its own; None if it has none."""
        owner, name = (self.model.opt, field[4:]) if field.startswith("opt.") else (self.model, field)
        shared: Any = getattr(owner, name, None)
        if not getattr(shared, "_is_batched", False):
            return None
        if shared.shape[0] != self.num_worlds or shared.strides[0] == 0:
            with self.at_work():
                rows = warp.to_torch(shared)[:1].repeat_interleave(self.num_worlds, dim=0).contiguous()
                own: Any = warp.from_torch(rows, dtype=shared.dtype)
                own._is_batched = True
                setattr(owner, name, own)
            self.model.has_fluid |= field in _OF_FLUIDS  # MuJoCo Warp looks for it in the compiled model
            self._graphs.clear()  # they have the old addresses; other kernels may be needed
            self._warm.clear()
        values: torch.Tensor = warp.to_torch(getattr(owner, name))
        return values

    def compute(self, stage: int) -> None:
        """Computes what follows from the state, up to a stage."""
        self._run(f"stage {stage}", partial(_STAGES[stage], self.model, self.data))

    def step(self) -> None:
        """Passes one timestep and puts aside. What is derived is then that of the state in which it began."""
        self._run("step", self._step)

    def put_aside(self) -> None:
        """Flags the worlds that were given numbers which are not finite or too great, and puts them back at once."""
        self._run("put aside", self._infirmary.admit_written)

    def wait(self) -> None:
        """Waits until the device has done what it was told."""
        warp.synchronize_device(self._device)

    def overflown(self) -> torch.Tensor:
        """Returns [N] which worlds ran out of room for contacts or constraints since they were last put somewhere."""
        return (self.tensor("overflow") & _OVERFLOWS) != 0

    def heal(self, rows: torch.Tensor) -> None:
        """Takes the flags of the worlds `rows` down."""
        self.diverged[rows] = False
        self.tensor("overflow")[rows] = 0

    def flags(self) -> NDArray[np.bool_]:
        """Returns `diverged` on the host; says once, on the standard error, if there was no room in a world."""
        diverged = np.array(on_host(self.diverged))
        if not self._is_shortage_told and diverged.any():
            self._tell_of_shortage()
        return diverged

    def jac(self, body: int, point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the Jacobians [N, 3, nv] of world points [N, 3] on a body."""
        shape = (self.num_worlds, 3, self.model.nv)
        found = torch.zeros((2, *shape), dtype=torch.float32, device=self.torch_device)
        bodies = torch.full((self.num_worlds,), body, dtype=torch.int32, device=self.torch_device)
        with self.at_work():
            outputs = [warp.from_torch(part) for part in found]
            points = warp.from_torch(point.contiguous(), dtype=warp.vec3)
            mujoco_warp.jac(self.model, self.data, *outputs, points, warp.from_torch(bodies))
        return found[0], found[1]

    def rays(self, start: torch.Tensor, direction: torch.Tensor, hidden_body: int, groups: Any) -> torch.Tensor:
        """Returns how far the rays [N, R, 3] of all worlds get, [N, R]; -1 where they hit nothing."""
        num_rays = start.shape[1]
        distance = torch.empty((self.num_worlds, num_rays), dtype=torch.float32, device=self.torch_device)
        geom = torch.empty_like(distance, dtype=torch.int32)
        hidden = torch.full((num_rays,), hidden_body, dtype=torch.int32, device=self.torch_device)
        with self.at_work():
            mujoco_warp.rays(
                self.model,
                self.data,
                warp.from_torch(start.contiguous(), dtype=warp.vec3),
                warp.from_torch(direction.contiguous(), dtype=warp.vec3),
                mujoco_warp._src.types.vec6(*groups.astype(float).tolist()),
                True,
                warp.from_torch(hidden),
                warp.from_torch(distance),
                warp.from_torch(geom),
                warp.empty((self.num_worlds, num_rays), dtype=warp.vec3),
            )
        return distance

    def _step(self) -> None:
        _follow_velocities(self.model, self.data)
        mujoco_warp.step(self.model, self.data)
        self._infirmary.admit_moved()

    def _tell_of_shortage(self) -> None:
        short = on_host(self.tensor("overflow")) & _OVERFLOWS
        if not short.any():
            return
        num_contacts = max(int(self.tensor(name)[0]) for name in ("ncollision", "nacon")) // self.num_worlds
        lack = self._room.shortage(int(np.bitwise_or.reduce(short)), num_contacts, int(self.tensor("nefc").max()))
        bound = "engine mujoco has no such bound"
        sys.stderr.write(f"engine warp: a world counts as diverged, as it had no room for {lack}; {bound}\n")
        self._is_shortage_told = True

    def _new_infirmary(self) -> Infirmary:
        numbers = {name: self.tensor(name).reshape(self.num_worlds, -1) for name in self.state if name != "eq_active"}
        carried = [name for name in _CARRIED if name in numbers]
        with self.at_work():
            mine = {name: warp.from_torch(values) for name, values in numbers.items()}
            checked = {name: (values, _LIMITS.get(name, _FARTHEST)) for name, values in mine.items()}
            defaults = {name: warp.from_torch(self.default[self.state[name]].contiguous()) for name in carried}
            return Infirmary(
                moved=[checked[name] for name in _MOVED if name in checked],
                written=list(checked.values()),
                carried=[(mine[name], defaults[name]) for name in carried],
                diverged=warp.from_torch(self.diverged),
            )

    def _run(self, name: str, work: Callable[[], object]) -> None:
        """Runs what always launches the same kernels: from the second time on from a graph, without Python's cost."""
        with self.at_work():
            if name not in self._warm:
                work()
                self._warm.add(name)
                return
            if name not in self._graphs:
                # in a stream of its own: torch's may be CUDA's default one, which cannot be captured
                stream = warp.Stream(self._device) if self._device.is_cuda else None
                with undisturbed(), warp.ScopedStream(stream), warp.ScopedCapture(self._device, stream) as capture:
                    work()
                self._graphs[name] = capture.graph
            warp.capture_launch(self._graphs[name])


def _follow_velocities(model: Any, data: Any) -> None:
    """Computes velocities first where constraints are made of them.

    `fwd_position` makes those of `connect` and `weld` from the velocities of whatever state was followed before.
    """
    if model.eq_connect_adr.size + model.eq_wld_adr.size:
        mujoco_warp.fwd_kinematics(model, data)
        mujoco_warp.com_vel(model, data)


def _up_to_position(model: Any, data: Any) -> None:
    _follow_velocities(model, data)
    mujoco_warp.fwd_position(model, data, factorize=False)


def _up_to_velocity(model: Any, data: Any) -> None:
    _up_to_position(model, data)
    mujoco_warp.fwd_velocity(model, data)


def _up_to_acceleration(model: Any, data: Any) -> None:
    """Computes all; to look is no step, so what delayed sensors remember stays as it was."""
    memory = warp.clone(data.history) if model.nhistory else None
    _follow_velocities(model, data)
    mujoco_warp.forward(model, data)
    if memory is not None:
        warp.copy(data.history, memory)


_STAGES = {
    KINEMATICS: mujoco_warp.fwd_kinematics,
    POSITION: _up_to_position,
    VELOCITY: _up_to_velocity,
    ACCELERATION: _up_to_acceleration,
}


def default_state(model: mujoco.MjModel) -> NDArray[np.float64]:
    """Returns the state [S] that a reset world has."""
    data = mujoco.MjData(model)
    whole = mujoco.mjtState.mjSTATE_INTEGRATION.value
    state = np.zeros(mujoco.mj_stateSize(model, whole))
    mujoco.mj_getState(model, data, state, whole)
    return state
