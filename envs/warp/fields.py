"""Which fields the warp engine can read and randomise, and what has to be computed first."""

from collections.abc import Iterable
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core.errors import require_known
from robossl.envs import mujoco_fields
from robossl.envs.mujoco_fields import names

# Of a forward pass, in order; each includes those before it.
NO_STAGE, KINEMATICS, POSITION, VELOCITY, ACCELERATION = range(5)

# Contacts of all worlds lie in one list; the smooth acceleration is not always computed.
_NOT_KEPT = names("ncon qacc_smooth")
READABLE_FIELDS = mujoco_fields.READABLE_FIELDS - _NOT_KEPT
RECORDABLE_FIELDS = mujoco_fields.RECORDABLE_FIELDS - _NOT_KEPT
RANDOM_FIELDS = mujoco_fields.RANDOM_FIELDS - {"opt.impratio"}
PLACES = names("geom_pos geom_quat body_pos body_quat")
"""Fields on which depends where geoms are that cannot move: MuJoCo Warp computes that once."""

_LEAST_SLIDING = 0.01  # at a third of it the first worlds of ArmPush diverge at rest
_LATE_POSITIONS = names("actuator_length ten_length ne nf nl nefc")
_STAGES = {
    mujoco_fields.NO_STAGE: NO_STAGE,
    mujoco_fields.BODY_STAGE: KINEMATICS,
    mujoco_fields.POSITION_STAGE: KINEMATICS,
    mujoco_fields.VELOCITY_STAGE: VELOCITY,
    mujoco_fields.ACCELERATION_STAGE: ACCELERATION,
}


def stage_of(field: str, model: Any) -> int:
    """Returns the stage after which a readable field is current; a state field always is."""
    if field == "sensordata":
        return ACCELERATION if model.nsensor else NO_STAGE
    if field in _LATE_POSITIONS:
        return POSITION
    return _STAGES[mujoco_fields.stage_of(field, model)]


def require_random(fields: Iterable[str]) -> None:
    """Checks that worlds can differ in model fields.

    Raises:
        UnknownNameError: naming one in which they cannot.
    """
    require_known("model field that the warp engine can randomise", fields, RANDOM_FIELDS)


def least_frictions(model: mujoco.MjModel) -> dict[str, NDArray[np.float64]]:
    """Returns the least frictions of geoms and pairs: MuJoCo's are 1e-5, but float32 loses cones as narrow as that."""
    is_pyramid = model.opt.cone == mujoco.mjtCone.mjCONE_PYRAMIDAL.value
    least = _LEAST_SLIDING * np.sqrt(model.opt.impratio) if is_pyramid else 0.0
    return {"geom_friction": np.array([least, 0.0, 0.0]), "pair_friction": np.array([least, least, 0.0, 0.0, 0.0])}
