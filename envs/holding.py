"""Servos hold joints where an episode begins, also where that is another place than the layout counted with."""

from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.engine import Engine
from robossl.envs.host import numbers_of

_NONE, _SUM, *_FILTERS = (
    getattr(mujoco.mjtDyn, f"mjDYN_{name}").value for name in ("NONE", "INTEGRATOR", "FILTER", "FILTEREXACT")
)


class Holding:
    """Shifts controls and activations that stand for positions, so that actuators pull as they did elsewhere.

    They are those of actuators with a fixed gain and a force that depends on their length, as MJCF's `position` and
    `intvelocity`, with the gains and gears of the compiled model. Others, as motors, pull alike wherever joints are.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        gain, force_per_length = model.actuator_gainprm[:, 0], model.actuator_biasprm[:, 1]
        is_servo = (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_FIXED.value) & (gain != 0)
        is_servo &= (model.actuator_biastype == mujoco.mjtBias.mjBIAS_AFFINE.value) & (force_per_length != 0)
        self._per_length = np.where(is_servo, -force_per_length / np.where(is_servo, gain, 1.0), 0.0)
        ends = model.actuator_actadr + model.actuator_actnum
        self._fields = [
            (field, which, columns[which])
            for field, columns, kinds in (
                ("ctrl", model.actuator_ctrladr, (_NONE, *_FILTERS)),
                ("act", ends - 1, (_SUM, *_FILTERS)),
            )
            if len(which := np.flatnonzero(is_servo & np.isin(model.actuator_dyntype, kinds)))
        ]

    @property
    def is_needed(self) -> bool:
        """Tells whether there are such actuators."""
        return bool(self._fields)

    def lengths(self, engine: Engine, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns how long the actuators [n, A] of the worlds `ids` are."""
        model, data = self._model, self._data
        found = np.empty((len(ids), len(self._per_length)))
        for row, qpos in zip(found, numbers_of(engine, "qpos", ids), strict=True):
            data.qpos[:] = qpos
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_tendon(model, data)
            mujoco.mj_transmission(model, data)
            row[:] = data.actuator_length[model.actuator_outadr]
        return found

    def follow(self, engine: Engine, before: NDArray[np.float64], ids: NDArray[np.int64]) -> None:
        """Shifts them in the worlds `ids`, whose actuators were as long as `before` [n, A]."""
        shift = self._per_length * (self.lengths(engine, ids) - before)
        for field, which, columns in self._fields:
            values = numbers_of(engine, field, ids)
            values[:, columns] += shift[:, which]
            engine.write(field, values, ids)

    @cached_property
    def _data(self) -> Any:
        return mujoco.MjData(self._model)
