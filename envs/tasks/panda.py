"""The Franka Emika Panda: published limits, and what inverse kinematics needs to know of N arms.

Limits are those of the Franka Control Interface documentation, "Robot and interface specifications", section
"Limits for Panda". The kinematics themselves are in assets/panda/panda.xml.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from robossl.core import Array, UserError

NUM_JOINTS = 7
POSITION_MIN_RAD = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
POSITION_MAX_RAD = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
VELOCITY_MAX_RAD_S = np.array([2.1750, 2.1750, 2.1750, 2.1750, 2.6100, 2.6100, 2.6100])
NUM_FINGERS = 2
FINGER_OPEN_M = 0.04
"""How far a finger of the Franka Hand moves from the middle."""

TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
"""Orientation of the tool that points straight down, its x axis forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IKConfig:
    """Tunes the inverse kinematics.

    Attributes:
        damping: trades accuracy for small joint steps near singularities.
        posture_gain: share of the way to `posture_rad` made per step by the motion that the tool does not feel.
        posture_rad: the posture preferred among all that reach the same tool pose.
    """

    damping: float = 0.03
    posture_gain: float = 0.1
    posture_rad: tuple[float, ...] = (0.0, 0.0975, 0.0, -2.6942, 0.0, 2.7918, 0.7854)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.damping <= 0:
            raise UserError(f"the damping of the inverse kinematics must be positive, got {self.damping}")
        if len(self.posture_rad) != NUM_JOINTS:
            raise UserError(f"a posture has {NUM_JOINTS} joints, got {len(self.posture_rad)}")


def tuning(period_s: float, config: IKConfig) -> tuple[Any, ...]:
    """Returns what `steer`, `damped_targets` take last: posture, gain, damping, greatest step, lower and upper ends."""
    fastest = VELOCITY_MAX_RAD_S * period_s
    return (
        np.array(config.posture_rad),
        config.posture_gain,
        config.damping,
        fastest,
        POSITION_MIN_RAD,
        POSITION_MAX_RAD,
    )


def tool_jacobian(xp: Any, anchor_w: Array, axis_w: Array, tool_w: Array) -> Array:
    """Returns the Jacobian [N, 6, 7] of tool points, translation above rotation.

    Args:
        xp: namespace of the arrays.
        anchor_w: [N, 7, 3] where the joints' axes are, m.
        axis_w: [N, 7, 3] their directions.
        tool_w: [N, 3] points that all joints carry, m.
    """
    axis_w = xp.asarray(axis_w, dtype=xp.float64)
    turning = xp.linalg.cross(axis_w, xp.asarray(tool_w, dtype=xp.float64)[:, None] - anchor_w)
    return xp.concat([turning, axis_w], axis=-1).mT
