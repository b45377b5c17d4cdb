"""Kinematics of many arms in one call.

`damped_steps` is `damped_targets` of `robossl.core` a second time. That one serves a robot's bridge, which has no
numba, and torch, which is fast where few operations are on all arms; this one loops over the numbers of each arm, and
takes a quarter of the time in numpy. tests/envs/test_arm_kinematics.py ties the two together.
"""

from typing import Any

import numpy as np

from robossl.core import Array
from robossl.envs.compiled import compiled, fused


@compiled
def damped_steps(
    joint_pos: Array,
    jacobian: Array,
    pose_error: Array,
    posture: Array,
    posture_gain: float,
    damping: float,
    greatest_step: Array,
    low: Array,
    high: Array,
) -> Array:
    """Makes one step towards a tool pose, in float64; see `robossl.core.inverse_kinematics.damped_targets`.

    Args:
        joint_pos: [N, D] in rad.
        jacobian: [N, 6, D] of the tool.
        pose_error: [N, 6] from the tool to where it should be.
        posture: [D] preferred joint positions.
        posture_gain: share of the way there.
        damping: near singularities.
        greatest_step: [D] of each joint, in rad.
        low: [D] least result, in rad.
        high: [D] greatest result, in rad.

    Returns:
        [N, D] joint positions in rad.
    """
    num_arms, num_joints = joint_pos.shape
    targets = np.empty((num_arms, num_joints))
    step, damped, solution = np.empty(num_joints), np.empty((6, 6)), np.empty(6)
    for arm in range(num_arms):
        J, q = jacobian[arm], joint_pos[arm]
        for d in range(num_joints):
            step[d] = posture_gain * (posture[d] - q[d])
        for i in range(6):
            residual = 0.0
            for d in range(num_joints):
                residual += J[i, d] * step[d]
            solution[i] = pose_error[arm, i] - residual
            for j in range(i + 1):
                product = damping**2 if i == j else 0.0
                for d in range(num_joints):
                    product += J[i, d] * J[j, d]
                damped[i, j] = product
        _solve(damped, solution, damping**2)
        overspeed = 1.0
        for d in range(num_joints):
            for i in range(6):
                step[d] += J[i, d] * solution[i]
            overspeed = max(overspeed, abs(step[d]) / greatest_step[d])
        for d in range(num_joints):
            targets[arm, d] = min(max(q[d] + step[d] / overspeed, low[d]), high[d])
    return targets


@compiled
def _solve(matrix: Array, vector: Array, least_pivot: float) -> None:
    """Solves for `vector` [6] in place; of the matrix L D L^T [6, 6] the lower half is given, and overwritten.

    No pivot of a matrix that is the sum of `least_pivot` and something positive is less, but by rounding.
    """
    for j in range(6):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] ** 2 * matrix[k, k]
        matrix[j, j] = pivot = max(pivot, least_pivot)
        for i in range(j + 1, 6):
            below = matrix[i, j]
            for k in range(j):
                below -= matrix[i, k] * matrix[j, k] * matrix[k, k]
            matrix[i, j] = below / pivot
        for k in range(j):
            vector[j] -= matrix[j, k] * vector[k]
    for j in range(5, -1, -1):
        vector[j] /= matrix[j, j]
        for i in range(j + 1, 6):
            vector[j] -= matrix[i, j] * vector[i]


@fused
def fill_tool_jacobian(xp: Any, anchor_w: Array, axis_w: Array, tool_w: Array, jacobian: Array) -> None:
    """Computes Jacobians [N, 6, D] of tool points, translation above rotation.

    Args:
        xp: namespace of the arrays.
        anchor_w: [N, D, 3] where the joints' axes are, m.
        axis_w: [N, D, 3] their directions.
        tool_w: [N, 3] points that all joints carry, m.
        jacobian: is overwritten.
    """
    arm = xp.asarray(tool_w, dtype=xp.float64)[:, None] - anchor_w
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        jacobian[:, i] = axis_w[..., j] * arm[..., k] - axis_w[..., k] * arm[..., j]
        jacobian[:, 3 + i] = axis_w[..., i]
