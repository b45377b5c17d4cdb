"""What the arm's tasks reward: one call a step in numpy.

Each `judge` function is a task's. It notes in `reached` [N] which worlds have been at the goal, in `nearest_m` [N] how
near to it they were, and returns the task's terms [N], followed by its distance [N] in m.
"""

from typing import Any

from robossl.core import Array
from robossl.envs.compiled import fused

Terms = tuple[Array, ...]


@fused
def judge_reach(
    xp: Any, goal_w: Array, tool_w: Array, action: Array, radius_m: float, reached: Array, nearest_m: Array
) -> Terms:
    """Returns the terms reach, at_goal and effort."""
    distance = norm(xp, goal_w - tool_w)
    inside = distance < radius_m
    _note(xp, distance, inside, reached, nearest_m)
    return tolerance(xp, distance, 0.0, 0.01, 0.40), _indicator(xp, inside, distance), effort(xp, action), distance


@fused
def judge_push(
    xp: Any,
    goal_w: Array,
    block_w: Array,
    tool_w: Array,
    action: Array,
    contact_m: Array | float,
    radius_m: float,
    reached: Array,
    nearest_m: Array,
) -> Terms:
    """Returns the terms reach, push, at_goal, effort; `contact_m` [N] is from a block's centre to a tool behind it."""
    to_goal = goal_w - block_w
    distance = planar_norm(xp, to_goal)
    inside = distance < radius_m
    _note(xp, distance, inside, reached, nearest_m)
    missing = block_w - tool_w
    missing[:, :2] -= to_goal[:, :2] * (contact_m / (distance + 1e-6))[:, None]
    reach, push = tolerance(xp, norm(xp, missing), 0.0, 0.01, 0.20), tolerance(xp, distance, 0.0, 0.02, 0.30)
    return reach, push, _indicator(xp, inside, distance), effort(xp, action), distance


@fused
def judge_lift(
    xp: Any,
    block_w: Array,
    tool_w: Array,
    squeeze: Array,
    action: Array,
    between_fingers_m: float,
    rest_w_m: float,
    lift_m: float,
    reached: Array,
    nearest_m: Array,
) -> Terms:
    """Returns the terms reach, grip, lift, lifted and effort; blocks rest at `rest_w_m`, `squeeze` is in [0, 1]."""
    to_block = norm(xp, block_w - tool_w)
    missing = xp.empty_like(to_block)
    missing[...] = lift_m - (block_w[:, 2] - rest_w_m)
    lifted = missing < 0
    distance = xp.where(lifted, xp.zeros_like(missing), missing)
    _note(xp, distance, lifted, reached, nearest_m)
    return (
        tolerance(xp, to_block, 0.0, 0.01, 0.30),
        squeeze * (to_block < between_fingers_m),
        tolerance(xp, missing, -lift_m, 0.0, lift_m),
        _indicator(xp, lifted, missing),
        effort(xp, action),
        distance,
    )


@fused
def judge_peg(
    xp: Any,
    goal_w: Array,
    tool_w: Array,
    action: Array,
    over_box_m: float,
    radius_m: float,
    reached: Array,
    nearest_m: Array,
) -> Terms:
    """Returns the terms align, insert, inside and effort."""
    to_goal = goal_w - tool_w
    aside, distance = planar_norm(xp, to_goal), norm(xp, to_goal)
    inside = distance < radius_m
    _note(xp, distance, inside, reached, nearest_m)
    insert = tolerance(xp, distance, 0.0, 0.01, 0.20) * (aside < over_box_m)
    align = tolerance(xp, aside, 0.0, 0.005, 0.25)
    return align, insert, _indicator(xp, inside, distance), effort(xp, action), distance


@fused
def tolerance(xp: Any, value: Array, low: float, high: float, margin: float) -> Array:
    """Returns how well values keep to [low, high]: 1 inside, falling in a straight line to 0 at `margin` outside.

    The slope is the same from the margin to the goal, so that a learner far away is told as clearly as one nearby.

    Args:
        xp: namespace of the arrays.
        value: [...], in the same unit as the bounds.
        low: lower bound of what is as good as perfect.
        high: upper bound, not below the lower one.
        margin: positive distance from the bounds at which nothing is left.

    Returns:
        [...] in [0, 1].
    """
    below, above = low - value, value - high
    left = 1 - (below * (below > 0) + above * (above > 0)) / margin
    result = xp.empty_like(value)
    result[...] = left * (left > 0)
    return result


@fused
def effort(xp: Any, action: Array) -> Array:
    """Returns the mean squares [N] of actions [N, A]."""
    result = xp.empty_like(action[:, 0])
    result[...] = xp.sum(action * action, axis=-1) / action.shape[-1]
    return result


@fused
def norm(xp: Any, vector: Array) -> Array:
    """Returns the lengths [...] of vectors [..., 3]."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    return xp.sqrt(x * x + y * y + z * z)


@fused
def planar_norm(xp: Any, vector: Array) -> Array:
    """Returns the lengths [...] of vectors [..., 2 or more] seen from above."""
    x, y = vector[..., 0], vector[..., 1]
    return xp.sqrt(x * x + y * y)


@fused
def _indicator(xp: Any, condition: Array, like: Array) -> Array:
    """Returns 1 where a condition [N] holds, else 0, of the type of `like` [N]."""
    result = xp.empty_like(like)
    result[...] = condition
    return result


@fused
def _note(xp: Any, distance: Array, is_there: Array, reached: Array, nearest_m: Array) -> None:
    reached[...] = reached | is_there
    nearest_m[...] = xp.minimum(nearest_m, distance)
