"""N worlds of one MuJoCo model on the CPU: the `Engine` that tasks run on, over `mujoco.batch.Batch`.

Batch's derived fields lag one substep behind its state, it puts worlds that turn NaN back to their defaults without a
word, and a world's error ends the whole call; here everything read is current, and such a world is flagged instead.
What it costs to be current is paid for the fields that are read of all worlds, and for the worlds that are asked about.
"""

import copy
from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from mujoco import batch as mujoco_batch
from numpy.typing import NDArray

from robossl.core import Array, UnknownNameError, UserError
from robossl.core.errors import require_known
from robossl.envs.casting.scanner import Scanner
from robossl.envs.engine import MAX_SPEED
from robossl.envs.forks import end_in_children, keep_in_children
from robossl.envs.mujoco_current import CurrentFields
from robossl.envs.mujoco_fields import (
    NO_STAGE,
    PASSING_FIELDS,
    READABLE_FIELDS,
    RECORDABLE_FIELDS,
    STATE_FIELDS,
    columns_of,
    mujoco_stage,
)
from robossl.envs.mujoco_model import silence_warnings
from robossl.envs.mujoco_rows import flag, flag_fast
from robossl.envs.own_values import OwnValues
from robossl.envs.recording import Recording
from robossl.envs.records import Plan, Start, planned, put_back, put_back_with

_MOVING = 2 * mujoco.mjtState.mjSTATE_CTRL.value - 1  # what physics changes, and the controls: the first columns
_MOVING_LAST = mujoco.mjtState.mjSTATE_PLUGIN.value | mujoco.mjtState.mjSTATE_PLASTIC.value  # of models that have it


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
    _readable = READABLE_FIELDS, "engine field"
    _outlasting: tuple[str, ...] = ("model", "num_worlds", "num_threads")  # of what a closed one has

    def __init__(self, model: mujoco.MjModel, num_worlds: int, num_threads: int) -> None:
        silence_warnings()
        self.model = copy.copy(model)
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET.value
        self.num_worlds, self.num_threads = num_worlds, num_threads
        try:
            self.batch = mujoco_batch.Batch(self.model, num_worlds, min(num_threads, num_worlds))
        except ValueError as error:  # of what no batch can do, as bodies that sleep
            raise UserError(f"the model cannot be simulated in many worlds: {error}") from error
        if min(num_threads, num_worlds) > 1:
            end_in_children(self)
            keep_in_children(self.batch.state.base)  # which arrays hold that outlast the engine
        self._own = OwnValues(self.model, self.batch)
        self.model_version = self._own.version
        self._diverged = np.zeros(num_worlds, bool)
        self._fields = CurrentFields(self.batch, self._diverged, *self._readable)
        self._views: dict[str, Array] = {}  # of the fields that are kept current
        self._recordings: dict[tuple[tuple[str, ...], int], Recording] = {}
        self._plan = Plan()
        self.batch.reset(stage=mujoco_stage(NO_STAGE))
        self._default_state = self.batch.state[0].copy()
        self._columns: dict[tuple[str, ...], NDArray[np.int64]] = {}  # {state fields: theirs in the state}
        self._no_values = np.empty((num_worlds, 0))
        is_moving_last = mujoco.mj_stateSize(self.model, _MOVING_LAST) > 0
        num_moving = self.batch.nstate if is_moving_last else mujoco.mj_stateSize(self.model, _MOVING)
        self._motion = self.batch.state[:, :num_moving]  # what a step may change
        self._is_written = np.zeros(num_worlds, bool)  # worlds whose other columns may have changed since the last step
        self._may_be_fast = False  # whether some of them were given speeds
        self._qvel = self._fields.bound("qvel")

    def reset(self, ids: NDArray[np.int64], fields: tuple[str, ...] = (), values: Array | None = None) -> None:
        """See `Engine.reset`; also mocap bodies go where the compiled model has them.

        Raises:
            UnknownNameError: if there is no such state field.
            ValueError: if there are not as many values as these fields have.
        """
        if fields not in self._columns:
            self._columns[fields] = columns_of(self.model, fields)
        self._touch(ids, fields)  # also refuses what is no world, which machine code does not
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
            self._touch(ids, start.names.state)  # also refuses what is no world, which machine code does not
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
        if self._fields.stage != NO_STAGE:
            self._fields.compute(ids, self._fields.stage)

    def step(
        self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = (), *, more: bool = False
    ) -> dict[str, Array]:
        """See `Engine.step`. What is recorded of a world after it diverged is not to be used."""
        self._own.follow()
        warnings = self.batch.warning.copy()
        self.view("ctrl")[...] = ctrl
        if self._may_be_fast:
            flag_fast(self._qvel, MAX_SPEED, self._is_written, self._diverged)
        recorded: dict[str, Array] = {}
        if record:
            recorded = self._step_recording(num_substeps, record)
        else:
            self._fields.step(num_substeps)
        self._flag_divergence(warnings)
        return recorded

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> Array:
        """See `Engine.read`; raises as `view` does."""
        if ids is None:
            return self.view(name).astype(np.float32)
        fields = self._fields
        values, stage = fields.array(name), fields.stage_of(name)
        late = ids[fields.computed[ids] < stage]
        if len(late):
            self._own.follow()
            fields.compute(late, max(stage, fields.stage))
        return values[ids].astype(np.float32)

    def view(self, name: str) -> Array:
        """See `Engine.view`: it stays current, at every call.

        Raises:
            UnknownNameError: if the engine cannot keep that field current.
        """
        if name not in self._views:
            self._views[name] = self._fields.kept(name)
            self.forward()
        return self._views[name]

    def write(self, name: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.write`."""
        if name not in STATE_FIELDS:
            raise UnknownNameError("state field", name, STATE_FIELDS)
        self.view(name)[ids] = values
        self._touch(ids, (name,))

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
        self._touch(rows, ("qvel",))
        self._diverged[rows] = False
        self.forward(ids)

    def require_state(self, state: NDArray[np.float64], model_values: dict[str, Array]) -> None:
        """See `Engine.require_state`."""
        self._own.require(model_values)

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
        """See `Engine.close`; the model is left, and how many worlds there were.

        The threads end with the last thing that holds the batch: every array that was read from it is one.
        """
        self.__dict__ = {name: value for name, value in vars(self).items() if name in self._outlasting}

    def __getattr__(self, name: str) -> Any:
        """Tells that a closed engine has nothing any more.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(
            f"{type(self).__name__} has no {name!r}{'' if 'batch' in vars(self) else ': it is closed'}"
        )

    def _touch(self, rows: Any, fields: tuple[str, ...] = ()) -> None:
        """Notes that these worlds were changed: put back to their defaults, or given values of state fields."""
        self._fields.computed[rows] = NO_STAGE
        self._is_written[rows] = True
        self._may_be_fast |= "qvel" in fields

    def _flag_divergence(self, warnings: NDArray[np.integer[Any]]) -> None:
        """Flags the worlds that are no longer finite, too fast, or warned about since `warnings` [N, W, 2]."""
        num_moving, now = self._motion.shape[1], self.batch.warning
        moved = self.batch.state, num_moving, self._is_written, self._qvel, MAX_SPEED
        flag(*moved, warnings, now, self._diverged)
        self._may_be_fast = False

    def _step_recording(self, num_substeps: int, record: tuple[str, ...]) -> dict[str, Array]:
        recording = self._recordings.get((record, num_substeps))
        if recording is None:
            require_known("field to record", record, RECORDABLE_FIELDS)
            recording = Recording({name: self._fields.bound(name) for name in record}, num_substeps)
            self._recordings[record, num_substeps] = recording
        recording.begin()
        self._fields.call(self.batch.rollout, None, nstep=num_substeps, record=record, out=recording.buffers)
        self._fields.computed[:] = NO_STAGE
        self.forward()
        return recording.found()
