"""Kinematics of many arms in one call.

`steer` is `pose_error`, `tool_jacobian` and `damped_targets` a second time. Those serve a robot's bridge, which has no
numba, and torch, which is fast where few operations are on all arms. Here numbers of the same kind lie side by side for
all arms, as `robossl.envs.kinematics` leaves them, and a processor's vector instructions compute eight arms at once: a
sixth of the time in numpy. tests/envs/test_arm_kinematics.py ties the two together.
"""

import numpy as np

from robossl.core import Array
from robossl.envs.compiled import compiled, inlined


@inlined
def _add(out: Array, a: Array, b: Array) -> None:
    for n in range(len(out)):
        out[n] += a[n] * b[n]


@inlined
def _take(out: Array, a: Array, b: Array) -> None:
    for n in range(len(out)):
        out[n] -= a[n] * b[n]


@inlined
def _look(tool_w: Array, rotation_w: Array, target_w: Array, wanted_w: Array, error: Array) -> None:
    """Fills what is missing [6, N] from tools, turned by [9, N], to targets [N, 3] and how they are to be turned."""
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        way, turn = error[i], error[3 + i]
        for n in range(len(way)):
            way[n], turn[n] = target_w[n, i] - tool_w[i, n], 0.0
        for column in range(3):
            a, b = rotation_w[3 * j + column], rotation_w[3 * k + column]
            p, q = 0.5 * wanted_w[k, column], 0.5 * wanted_w[j, column]
            for n in range(len(turn)):
                turn[n] += a[n] * p - b[n] * q


@inlined
def _lean(anchor_w: Array, axis_w: Array, tool_w: Array, column: Array, lever: Array) -> None:
    """Fills a joint's column [6, N] of the Jacobians; `lever` [3, N] is for the way from the joint to the tool."""
    for i in range(3):
        way, to, start = lever[i], tool_w[i], anchor_w[i]
        for n in range(len(way)):
            way[n] = to[n] - start[n]
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out, a, b, x, y = column[i], axis_w[j], axis_w[k], lever[j], lever[k]
        for n in range(len(out)):
            out[n] = a[n] * y[n] - b[n] * x[n]
        column[3 + i] = axis_w[i]


@inlined
def _solve(matrix: Array, vector: Array, least_pivot: float, pivot: Array, scaled: Array) -> None:
    """Solves for vectors [6, N] in place; of matrices L D L^T [6, 6, N] the lower half is given, and overwritten.

    No pivot of a matrix that is the sum of `least_pivot` and something positive is less, but by rounding. `pivot` and
    `scaled` [6, N] are for what comes up on the way.
    """
    for j in range(6):
        for k in range(j):
            out, a, b = scaled[k], matrix[j, k], pivot[k]
            for n in range(len(out)):
                out[n] = a[n] * b[n]
            _take(matrix[j, j], matrix[j, k], scaled[k])
            _take(vector[j], matrix[j, k], vector[k])
        out, a = pivot[j], matrix[j, j]
        for n in range(len(out)):
            out[n] = max(a[n], least_pivot)
        for i in range(j + 1, 6):
            for k in range(j):
                _take(matrix[i, j], matrix[i, k], scaled[k])
            below, a = matrix[i, j], pivot[j]
            for n in range(len(below)):
                below[n] /= a[n]
    for j in range(5, -1, -1):
        out, a = vector[j], pivot[j]
        for n in range(len(out)):
            out[n] /= a[n]
        for i in range(j + 1, 6):
            _take(vector[j], matrix[i, j], vector[i])


@compiled
def steer(
    joint_pos: Array,
    anchor_w: Array,
    axis_w: Array,
    tool_w: Array,
    rotation_w: Array,
    target_w: Array,
    wanted_w: Array,
    posture: Array,
    posture_gain: float,
    damping: float,
    greatest_step: Array,
    low: Array,
    high: Array,
) -> Array:
    """Makes one step of arms towards where their tools should be; see `robossl.core.inverse_kinematics.damped_targets`.

    Args:
        joint_pos: [N, D or more] in rad, of D joints that carry the tool.
        anchor_w: [D or more, 3, N] where the joints' axes are, m.
        axis_w: [D or more, 3, N] their directions.
        tool_w: [3, N] where the tools are, m.
        rotation_w: [9, N] how they are turned.
        target_w: [N, 3] where they should be, m.
        wanted_w: [3, 3] how they should be turned.
        posture: [D] preferred joint positions.
        posture_gain: share of the way there.
        damping: near singularities.
        greatest_step: [D] of each joint, in rad.
        low: [D] least result, in rad.
        high: [D] greatest result, in rad.

    Returns:
        [N, D] joint positions in rad, float64.
    """
    num_arms, num_joints = joint_pos.shape[0], posture.shape[0]
    J, step = np.empty((6, num_joints, num_arms)), np.empty((num_joints, num_arms))
    matrix, (solution, pivot, work) = np.empty((6, 6, num_arms)), np.empty((3, 6, num_arms))
    _look(tool_w, rotation_w, target_w, wanted_w, solution)
    for d in range(num_joints):
        _lean(anchor_w[d], axis_w[d], tool_w, J[:, d], work)
        home, preferred = step[d], posture[d]
        for n in range(num_arms):
            home[n] = posture_gain * (preferred - joint_pos[n, d])
        for i in range(6):
            _take(solution[i], J[i, d], home)
    for i in range(6):
        for j in range(i + 1):
            matrix[i, j] = damping**2 if i == j else 0.0
            for d in range(num_joints):
                _add(matrix[i, j], J[i, d], J[j, d])
    _solve(matrix, solution, damping**2, pivot, work)
    overspeed = work[0]
    overspeed[:] = 1.0
    for d in range(num_joints):
        for i in range(6):
            _add(step[d], J[i, d], solution[i])
        way, greatest = step[d], greatest_step[d]
        for n in range(num_arms):
            overspeed[n] = max(overspeed[n], abs(way[n]) / greatest)
    targets = np.empty((num_arms, num_joints))
    for d in range(num_joints):
        way, least, most = step[d], low[d], high[d]
        for n in range(num_arms):
            targets[n, d] = min(max(joint_pos[n, d] + way[n] / overspeed[n], least), most)
    return targets
