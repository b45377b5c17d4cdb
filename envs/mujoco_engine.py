"""N worlds of one MuJoCo model on the CPU: the `Engine` that tasks run on, over `mujoco.batch.Batch`.

Batch's derived fields lag one substep behind its state, it puts worlds that turn NaN back to their defaults without a
word, and a world's error ends the whole call; here everything read is current, and such a world is flagged instead.
What it costs to be current is paid for the fields that are read of all worlds, and for the worlds that are asked about.
"""

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from mujoco import batch as mujoco_batch
from numpy.typing import NDArray

from robossl.core import Array, UnknownNameError, UserError
from robossl.envs.casting.scanner import Scanner
from robossl.envs.engine import MAX_SPEED
from robossl.envs.forks import end_in_children
from robossl.envs.kinematics import Kinematics
from robossl.envs.mujoco_clock import untimed
from robossl.envs.mujoco_fields import (
    BODY_FIELDS,
    BODY_STAGE,
    NO_STAGE,
    PASSING_FIELDS,
    POSITION_STAGE,
    READABLE_FIELDS,
    RECORDABLE_FIELDS,
    STATE_FIELDS,
    columns_of,
    mujoco_stage,
    position_stage,
    stage_of,
)
from robossl.envs.mujoco_rows import flag
from robossl.envs.own_values import OwnValues
from robossl.envs.recording import Recording
from robossl.envs.records import Plan, Start, planned, put_back, put_back_with

_MOVING = 2 * mujoco.mjtState.mjSTATE_CTRL.value - 1  # what physics changes, and the controls: the first columns
_MOVING_LAST = mujoco.mjtState.mjSTATE_PLUGIN.value | mujoco.mjtState.mjSTATE_PLASTIC.value  # of models that have it
_FEW = 16  # worlds: with fewer, to wake the other threads costs more than to compute one world after the other


class MujocoEngine:
    """See `Engine`. Numbers of a world depend neither on the other worlds nor on the number of threads.

    Attributes:
        batch: the worlds, for renderers: they read what this engine has no name for.
        model_version: [N], raised for a world whenever its model values change.
    """

    xp: Any = np
    device: Any = "cpu"
    feels_late = False
    passing_fields = PASSING_FIELDS
    contact_slack_m = 2e-5  # its contacts end within 1e-6 of where shapes do

    def __init__(self, model: mujoco.MjModel, num_worlds: int, num_threads: int) -> None:
        if mujoco.get_mju_user_warning() is None:  # it prints, and writes MUJOCO_LOG.TXT: its counters tell as much
            mujoco.set_mju_user_warning(lambda message: None)
        self.model = copy.copy(model)
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET.value
        self.num_worlds, self.num_threads = num_worlds, num_threads
        try:
            self.batch = mujoco_batch.Batch(self.model, num_worlds, min(num_threads, num_worlds))
        except ValueError as error:  # of what no batch can do, as bodies that sleep
            raise UserError(f"the model cannot be simulated in many worlds: {error}") from error
        if min(num_threads, num_worlds) > 1:
            end_in_children(self)
        self._own = OwnValues(self.model, self.batch)
        self.model_version = self._own.version
        self._bindings: dict[str, Array] = {}
        self._views: dict[str, Array] = {}  # of the fields that are kept current
        self._bodies: Kinematics | None = None  # until somebody looks at one of its fields
        self._stage = NO_STAGE  # up to which every call computes
        self._computed = np.full(num_worlds, NO_STAGE)  # up to which each world's state has been followed
        self._recordings: dict[tuple[tuple[str, ...], int], Recording] = {}
        self._plan = Plan()
        self._diverged = np.zeros(num_worlds, bool)
        self.batch.reset(stage=mujoco_stage(NO_STAGE))
        self._default_state = self.batch.state[0].copy()
        self._columns: dict[tuple[str, ...], NDArray[np.int64]] = {}  # {state fields: theirs in the state}
        self._no_values = np.empty((num_worlds, 0))
        is_moving_last = mujoco.mj_stateSize(self.model, _MOVING_LAST) > 0
        num_moving = self.batch.nstate if is_moving_last else mujoco.mj_stateSize(self.model, _MOVING)
        self._motion = self.batch.state[:, :num_moving]  # what a step may change
        self._is_written = np.zeros(num_worlds, bool)  # worlds whose other columns may have changed since the last step
        self._sensor_stage = stage_of("sensordata", self.model)
        self._position_stage = position_stage(self.model)
        self._qvel = self._bound("qvel")

    def reset(self, ids: NDArray[np.int64], fields: tuple[str, ...] = (), values: Array | None = None) -> None:
        """See `Engine.reset`; also mocap bodies go where the compiled model has them.

        Raises:
            UnknownNameError: if there is no such state field.
            ValueError: if there are not as many values as these fields have.
        """
        if fields not in self._columns:
            self._columns[fields] = columns_of(self.model, fields)
        self._touch(ids)  # also refuses what is no world, which machine code does not
        columns, values = self._columns[fields], self._no_values[: len(ids)] if values is None else values
        if values.shape != (len(ids), len(columns)):  # machine code does not look
            raise ValueError(f"{', '.join(fields)}: {list(values.shape)} values, expected {[len(ids), len(columns)]}")
        put_back(self.batch.state, self._default_state, ids, columns, values)  # a tenth of the cost of Batch.reset
        self._diverged[ids] = False

    def begin(self, ids: NDArray[np.int64], start: Start) -> None:
        """See `Engine.begin`."""
        if self._plan.record is not start.record:
            self._plan = planned(self.model, start.names, start.record, self._own.rows)
        plan = self._plan
        values = start.data[:, plan.state].view(np.float64)
        if not plan.rows:
            self.reset(ids, start.names.state, values)
        else:
            self._touch(ids)  # also refuses what is no world, which machine code does not
            parts = start.data, plan.first, plan.rows, self.model_version
            put_back_with(self.batch.state, self._default_state, ids, plan.columns, values, *parts)
            self._diverged[ids] = False
        if plan.has_constants:
            self._own.outdate(ids)
        for field in plan.others:
            self.randomise(field, start.of(field), ids)

    def forward(self, ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.forward`."""
        self._own.follow()
        if self._stage != NO_STAGE:
            self._compute(ids, self._stage)

    def step(
        self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = (), *, more: bool = False
    ) -> dict[str, Array]:
        """See `Engine.step`. What is recorded of a world after it diverged is not to be used."""
        self._own.follow()
        warnings = self.batch.warning.copy()
        self.view("ctrl")[...] = ctrl
        recorded: dict[str, Array] = {}
        if record:
            recorded = self._step_recording(num_substeps, record)
        else:
            self._call(self.batch.step, None, nstep=num_substeps, stage=self._number_of(self._stage))
            self._follow_bodies(None, self._stage)
            self._computed[:] = self._stage
        self._flag_divergence(warnings)
        return recorded

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> Array:
        """See `Engine.read`; raises as `view` does."""
        if ids is None:
            return self.view(name).astype(np.float32)
        values, stage = self._field(name), self._stage_of(name)
        late = ids[self._computed[ids] < stage]
        if len(late):
            self._own.follow()
            self._compute(late, max(stage, self._stage))
        return values[ids].astype(np.float32)

    def view(self, name: str) -> Array:
        """See `Engine.view`: it stays current, at every call.

        Raises:
            UnknownNameError: if the engine cannot keep that field current.
        """
        if name not in self._views:
            self._views[name] = self._field(name)
            self._stage = max(self._stage, self._stage_of(name))
            self.forward()
        return self._views[name]

    def write(self, name: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.write`."""
        if name not in STATE_FIELDS:
            raise UnknownNameError("state field", name, STATE_FIELDS)
        self.view(name)[ids] = values
        self._touch(ids)

    def jac(self, body: int, point: Array, ids: NDArray[np.int64] | None = None) -> tuple[Array, Array]:
        """See `Engine.jac`. With `ids`, points and Jacobians are those of the worlds `ids` alone."""
        translation, rotation = self.batch.jac(body, point, ids)
        return translation.astype(np.float32), rotation.astype(np.float32)

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
        """See `Engine.scan`."""
        return self._scanner.scan(start, axes, directions, ids, hidden_body=hidden_body, least_m=least_m)

    def randomise(self, field: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.randomise`.

        A body's inertia follows its mass, as if its density changed, and its size, as if its mass was spread anew. Its
        mass does not follow its size. Derived constants follow at the next `forward` or `step`.

        Raises:
            UserError: if the field cannot differ between worlds, or if what follows from it cannot be computed.
        """
        self._touch(ids)  # also refuses what is no world, which machine code does not
        self._own.set(field, values, ids)

    def model_values(self) -> dict[str, Array]:
        """See `Engine.model_values`."""
        return self._own.copies()

    def own_values(self, field: str) -> NDArray[np.float64] | None:
        """See `Engine.own_values`."""
        return self._own.of(field)

    def get_state(self) -> NDArray[np.float64]:
        """See `Engine.get_state`; the columns are MuJoCo's mjSTATE_INTEGRATION."""
        return np.array(self.batch.state, np.float64)

    def set_state(self, state: NDArray[np.float64], ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.set_state`."""
        rows = slice(None) if ids is None else ids
        self.batch.state[rows, : state.shape[1]] = state
        self._touch(rows)
        self._diverged[rows] = False
        self.forward(ids)

    def require_state(self, state: NDArray[np.float64], model_values: dict[str, Array]) -> None:
        """See `Engine.require_state`."""
        for field, values in model_values.items():
            self._own.require(field, values)

    def keep(self, *, whole: bool) -> None:
        """See `Engine.keep`."""
        self._kept = (self.batch.state if whole else self._motion).copy()

    def take_back(self, ids: NDArray[np.int64]) -> None:
        """See `Engine.take_back`."""
        self.set_state(self._kept[ids], ids)

    @cached_property
    def _scanner(self) -> Scanner:
        return Scanner(self)

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """See `Engine.diverged`."""
        return self._diverged.copy()

    def close(self) -> None:
        """See `Engine.close`."""
        self.batch = None

    def _touch(self, rows: Any) -> None:
        """Notes that these worlds were changed."""
        self._computed[rows] = NO_STAGE
        self._is_written[rows] = True

    def _flag_divergence(self, warnings: NDArray[np.integer[Any]]) -> None:
        """Flags the worlds that are no longer finite, too fast, or warned about since `warnings` [N, W, 2]."""
        num_moving, now = self._motion.shape[1], self.batch.warning
        moved = self.batch.state, num_moving, self._is_written, self._qvel, MAX_SPEED
        flag(*moved, warnings, now, self._diverged)

    def _step_recording(self, num_substeps: int, record: tuple[str, ...]) -> dict[str, Array]:
        recording = self._recordings.get((record, num_substeps))
        if recording is None:
            if unknown := [name for name in record if name not in RECORDABLE_FIELDS]:
                raise UnknownNameError("field to record", unknown[0], RECORDABLE_FIELDS)
            recording = Recording({name: self._bound(name) for name in record}, num_substeps)
            self._recordings[record, num_substeps] = recording
        recording.begin()
        self._call(self.batch.rollout, None, nstep=num_substeps, record=record, out=recording.buffers)
        self._computed[:] = NO_STAGE
        self.forward()
        return recording.found()

    def _stage_of(self, name: str) -> int:
        return self._sensor_stage if name == "sensordata" else stage_of(name, self.model)

    def _field(self, name: str) -> Array:
        """Returns the array in which a field is kept current."""
        if name not in BODY_FIELDS:
            return self._bound(name)
        if self._bodies is None:
            self._bodies = Kinematics(self.model, self.batch)
            self._computed[:] = NO_STAGE
        return self._bodies.field(name)

    def _bound(self, name: str) -> Array:
        """Returns the batch's own array of a field; a derived one is empty until the next computation."""
        if name not in self._bindings:
            if name not in READABLE_FIELDS:
                raise UnknownNameError("engine field", name, READABLE_FIELDS)
            self._bindings[name] = self.batch.bind(name)
            self._computed[:] = NO_STAGE
        return self._bindings[name]

    def _compute(self, ids: NDArray[np.int64] | None, stage: int) -> None:
        """Computes what follows from the state, up to a stage."""
        number = self._number_of(stage)
        if not number:
            pass
        elif ids is not None and len(ids) < _FEW and self.num_threads > 1:
            for world in ids.astype(np.int32)[:, None]:  # Batch's own type: it has less to check
                self._call(self.batch.forward, world, stage=number)
        else:
            try:
                self._call(self.batch.forward, ids, stage=number)
            except ValueError:  # of unsorted worlds: to look at the order first would cost every call
                if ids is None:
                    raise
                self._call(self.batch.forward, np.unique(ids), stage=number)
        self._follow_bodies(ids, stage)
        self._computed[slice(None) if ids is None else ids] = stage

    def _number_of(self, stage: int) -> int:
        """Returns MuJoCo's number of the stage that it has to compute for one of ours."""
        asks = stage >= BODY_STAGE and self._bodies is not None and self._bodies.must_ask()
        return mujoco_stage(max(stage, self._position_stage) if asks or stage == POSITION_STAGE else stage)

    def _follow_bodies(self, ids: NDArray[np.int64] | None, stage: int) -> None:
        """Makes current what belongs to `BODY_STAGE`, if anybody looks at it."""
        if stage >= BODY_STAGE and self._bodies is not None:
            self._bodies.follow(ids)

    def _call(self, function: Callable[..., Any], ids: NDArray[np.int64] | None, **options: Any) -> None:
        """Calls Batch; worlds in which MuJoCo raises an error are marked, the others are unharmed."""
        try:
            untimed(function, ids=ids, **options)
        except mujoco_batch.SimulationError as error:
            self._diverged[error.ids] = True
