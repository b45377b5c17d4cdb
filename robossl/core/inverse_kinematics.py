"""From where a tool should go to where joints go: damped least squares (Nakamura and Hanafusa, 1986).

Written against the Python array API, `xp`: simulated arms run it in numpy or torch, a robot's bridge in numpy. It
stands here, since a policy must move the real arm as it moved the simulated one.
"""

from typing import Any

from robossl.core.protocols import Array


def damped_targets(
    xp: Any,
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
    """Makes one step towards a tool pose.

    Every operation is elementwise or one small product or solution per arm, in float64, so that in numpy an arm's
    numbers do not depend on how many others there are.

    Args:
        xp: namespace of the arrays.
        joint_pos: [N, D] in rad, float64.
        jacobian: [N, 6, D] of the tool: translation above rotation, float64.
        pose_error: [N, 6] from the tool to where it should be, m above rad, float64.
        posture: [D] or [N, D] preferred among all joint positions that reach the same tool pose.
        posture_gain: share of the way there made by the motion that the tool does not feel.
        damping: trades accuracy for small joint steps near singularities.
        greatest_step: [D] of each joint, in rad; the whole step shrinks to it.
        low: [D] least result, in rad.
        high: [D] greatest result, in rad.

    Returns:
        [N, D] joint positions in rad.
    """
    towards_posture = posture_gain * (posture - joint_pos)
    residual = pose_error[..., None] - jacobian @ towards_posture[..., None]
    eye = xp.eye(6, dtype=xp.float64, device=joint_pos.device)
    damped = jacobian @ jacobian.mT + damping**2 * eye
    step = towards_posture + (jacobian.mT @ _solution(xp, damped, residual))[..., 0]
    overspeed = xp.max(xp.abs(step) / greatest_step, axis=-1, keepdims=True)
    return xp.clip(joint_pos + step / xp.clip(overspeed, 1.0, None), low, high)


def pose_error(xp: Any, position: Array, rotation: Array, wanted_position: Array, wanted_rotation: Array) -> Array:
    """Returns what is missing from tools to where they should be, [N, 6]: m above rad, the turn to first order.

    The turn is half the sum of the cross products of the columns of both rotations, which are what their product has of
    an odd matrix.

    Args:
        xp: namespace of the arrays.
        position: [N, 3] in m.
        rotation: [N, 3, 3].
        wanted_position: [N, 3] in m.
        wanted_rotation: [3, 3] float64.
    """
    way = xp.asarray(wanted_position - position, dtype=xp.float64)
    product = xp.asarray(rotation, dtype=xp.float64) @ wanted_rotation.mT
    odd = 0.5 * (product - product.mT)
    return xp.concat((way, xp.stack((odd[:, 1, 2], odd[:, 2, 0], odd[:, 0, 1]), axis=-1)), axis=-1)


def _solution(xp: Any, matrix: Array, right: Array) -> Array:
    """Solves damped equations. They have a solution, so torch need not wait until a GPU has said so."""
    if hasattr(xp.linalg, "solve_ex"):
        return xp.linalg.solve_ex(matrix, right)[0]
    return xp.linalg.solve(matrix, right)
