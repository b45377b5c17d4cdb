"""Encoders at the joints."""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, UserError
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.sensors.sensor import Memory, Sensor

_SLIDE, _HINGE = mujoco.mjtJoint.mjJNT_SLIDE.value, mujoco.mjtJoint.mjJNT_HINGE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class JointState(Sensor):
    """Reads [2 J]: the positions of hinges and slides, then their velocities."""

    joints: tuple[str, ...]

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        units = [{_SLIDE: "m", _HINGE: "rad"}.get(int(model.jnt_type[i])) for i in self._ids(model)]
        if None in units:
            raise UserError(f"joint {self.joints[units.index(None)]!r} is neither a hinge nor a slide")
        pairs = list(zip(self.joints, units, strict=True))
        names = [f"{name}_{unit}" for name, unit in pairs] + [f"{name}_{unit}_s" for name, unit in pairs]
        return ArraySpec(
            shape=(len(names),),
            names=tuple(names),
            units=(*(str(unit) for unit in units), *(f"{unit}/s" for unit in units)),
            joints=2 * self.joints,
        )

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        joints = self._ids(engine.model)
        qpos = engine.read("qpos")[ids][:, engine.model.jnt_qposadr[joints]]
        qvel = engine.read("qvel")[ids][:, engine.model.jnt_dofadr[joints]]
        return engine.xp.concat([qpos, qvel], axis=1)

    def _ids(self, model: Any) -> list[int]:
        return [element_id(model, "joint", name) for name in self.joints]
