"""What is read of `mujoco.batch.Batch`, kept current: computed up to where somebody looks, and for whom."""

from collections.abc import Callable
from typing import Any

import numpy as np
from mujoco import batch as mujoco_batch
from numpy.typing import NDArray

from robossl.core import Array, UnknownNameError
from robossl.envs.kinematics import Kinematics
from robossl.envs.mujoco_clock import untimed
from robossl.envs.mujoco_fields import (
    BODY_FIELDS,
    BODY_STAGE,
    NO_STAGE,
    POSITION_STAGE,
    mujoco_stage,
    position_stage,
    stage_of,
)
from robossl.envs.mujoco_model import require_steps

_FEW = 16  # worlds: with fewer, to wake the other threads costs more than to compute one world after the other


class CurrentFields:
    """The fields of N worlds, by MuJoCo's names.

    Attributes:
        stage: up to which every call computes, for the fields that are kept current.
        computed: [N] up to which each world's state has been followed.

    Args:
        batch: the worlds.
        failed: [N] where worlds are marked in which MuJoCo raises an error.
        known: names of the fields that may be read.
        what: they are.
    """

    def __init__(self, batch: Any, failed: NDArray[np.bool_], known: frozenset[str], what: str) -> None:
        self._batch, self._model, self._num_threads = batch, batch.model, batch.nthread
        self._failed, self._known, self._what = failed, known, what
        self._bindings: dict[str, Array] = {}
        self._bodies: Kinematics | None = None  # until somebody looks at one of its fields
        self._sensor_stage, self._position_stage = stage_of("sensordata", self._model), position_stage(self._model)
        self.stage = NO_STAGE
        self.computed = np.full(batch.nsim, NO_STAGE)

    def kept(self, name: str) -> Array:
        """Returns the array of a field that every call computes from now on; to be computed once before."""
        values = self.array(name)
        self.stage = max(self.stage, self.stage_of(name))
        return values

    def stage_of(self, name: str) -> int:
        """Returns the stage after which a field is current."""
        return self._sensor_stage if name == "sensordata" else stage_of(name, self._model)

    def array(self, name: str) -> Array:
        """Returns the array in which a field is made current.

        Raises:
            UnknownNameError: if it is none that may be read.
        """
        if name not in BODY_FIELDS:
            return self.bound(name)
        if self._bodies is None:
            self._bodies = Kinematics(self._model, self._batch)
            self.computed[:] = NO_STAGE
        return self._bodies.field(name)

    def bound(self, name: str) -> Array:
        """Returns the batch's own array of a field; a derived one is empty until the next computation.

        Raises:
            UnknownNameError: if it is none that may be read.
        """
        if name not in self._bindings:
            if name not in self._known:
                raise UnknownNameError(self._what, name, self._known)
            self._bindings[name] = self._batch.bind(name)
            self.computed[:] = NO_STAGE
        return self._bindings[name]

    def step(self, num_substeps: int) -> None:
        """Advances all worlds, and computes what follows."""
        stage = self.stage
        self.call(self._batch.step, None, nstep=num_substeps, stage=self._number_of(stage))
        self._follow_bodies(None, stage)
        self.computed[:] = stage

    def compute(self, ids: NDArray[np.int64] | None, stage: int) -> None:
        """Computes what follows from the state, up to a stage, in the worlds `ids` or in all."""
        number = self._number_of(stage)
        if not number:
            pass
        elif ids is not None and len(ids) < _FEW and self._num_threads > 1:
            for world in ids.astype(np.int32)[:, None]:  # Batch's own type: it has less to check
                self.call(self._batch.forward, world, stage=number)
        else:
            try:
                self.call(self._batch.forward, ids, stage=number)
            except ValueError:  # of unsorted worlds: to look at the order first would cost every call
                if ids is None:
                    raise
                self.call(self._batch.forward, np.unique(ids), stage=number)
        self._follow_bodies(ids, stage)
        self.computed[slice(None) if ids is None else ids] = stage

    def call(self, function: Callable[..., Any], ids: NDArray[np.int64] | None, **options: Any) -> None:
        """Calls Batch; worlds in which MuJoCo raises an error are marked, the others are unharmed.

        Raises:
            UserError: if that is due to the model itself.
        """
        try:
            untimed(function, ids=ids, **options)
        except mujoco_batch.SimulationError as error:
            self._failed[error.ids] = True
            if self._failed.all():
                require_steps(self._model)

    def _number_of(self, stage: int) -> int:
        """Returns MuJoCo's number of the stage that it has to compute for one of ours."""
        asks = stage >= BODY_STAGE and self._bodies is not None and self._bodies.must_ask()
        return mujoco_stage(max(stage, self._position_stage) if asks or stage == POSITION_STAGE else stage)

    def _follow_bodies(self, ids: NDArray[np.int64] | None, stage: int) -> None:
        """Makes current what belongs to `BODY_STAGE`, if anybody looks at it."""
        if stage >= BODY_STAGE and self._bodies is not None:
            self._bodies.follow(ids)
