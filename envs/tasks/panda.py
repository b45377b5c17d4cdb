"""The Franka Emika Panda: published limits, and inverse kinematics of N arms by damped least squares.

Limits are those of the Franka Control Interface documentation, "Robot and interface specifications", section
"Limits for Panda". The kinematics themselves are in assets/panda/panda.xml.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, UserError

NUM_JOINTS = 7
POSITION_MIN_RAD = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
POSITION_MAX_RAD = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
VELOCITY_MAX_RAD_S = np.array([2.1750, 2.1750, 2.1750, 2.1750, 2.6100, 2.6100, 2.6100])
TORQUE_MAX_NM = np.array([87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0])
NUM_FINGERS = 2
FINGER_OPEN_M = 0.04
"""How far a finger of the Franka Hand moves from the middle."""

TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
"""Orientation of the tool that points straight down, its x axis forward."""

_CYCLES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
"""The cyclic orders of x, y, z: a cross product without the cost of numpy's."""


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


def joint_targets(
    joint_pos: Array, jacobian: Array, pose_error: Array, *, period_s: float, config: IKConfig
) -> NDArray[np.float64]:
    """Makes one damped-least-squares step towards a tool pose (Nakamura and Hanafusa, 1986).

    Runs in numpy on the host. Every operation is elementwise or one small product or solution per arm, so that an
    arm's numbers do not depend on how many others there are.

    Args:
        joint_pos: [N, 7] in rad.
        jacobian: [N, 6, 7] of the tool: translation above rotation.
        pose_error: [N, 6] from the tool to where it should be, m above rad.
        period_s: time until the next step; with the velocity limits it bounds this one.
        config: the tuning.

    Returns:
        [N, 7] joint positions in rad within the limits, at most `period_s` at the greatest velocity away.
    """
    q, J = np.asarray(joint_pos, np.float64), np.asarray(jacobian, np.float64)
    towards_posture = config.posture_gain * (np.asarray(config.posture_rad) - q)
    residual = np.asarray(pose_error, np.float64)[..., None] - J @ towards_posture[..., None]
    J_transposed = np.swapaxes(J, -1, -2)
    damped = J @ J_transposed + config.damping**2 * np.eye(6)
    step = towards_posture + (J_transposed @ np.linalg.solve(damped, residual))[..., 0]
    overspeed = np.max(np.abs(step) / (VELOCITY_MAX_RAD_S * period_s), axis=-1, keepdims=True)
    targets = q + step / np.maximum(overspeed, 1.0)
    return np.asarray(np.clip(targets, POSITION_MIN_RAD, POSITION_MAX_RAD))


def tool_jacobian(anchor_w: Array, axis_w: Array, tool_w: Array) -> NDArray[np.float64]:
    """Returns the Jacobian [N, 6, 7] of tool points, translation above rotation.

    Args:
        anchor_w: [N, 7, 3] where the joints' axes are, m.
        axis_w: [N, 7, 3] their directions.
        tool_w: [N, 3] points that all joints carry, m.
    """
    axis = np.moveaxis(np.asarray(axis_w, np.float64), -1, 0)
    arm = np.moveaxis(np.asarray(tool_w, np.float64)[:, None] - anchor_w, -1, 0)
    jacobian = np.empty((axis.shape[1], 6, NUM_JOINTS))
    for i, j, k in _CYCLES:
        jacobian[:, i] = axis[j] * arm[k] - axis[k] * arm[j]
        jacobian[:, 3 + i] = axis[i]
    return jacobian


def rotation_error(rotation: Array, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the rotation vector, to first order, that turns `rotation` [N, 3, 3] into `wanted` [3, 3]: [N, 3] rad."""
    turn = wanted @ np.swapaxes(np.asarray(rotation, np.float64), -1, -2)
    return np.stack([0.5 * (turn[:, k, j] - turn[:, j, k]) for _, j, k in _CYCLES], axis=-1)
