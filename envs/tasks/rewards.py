"""Shapes for reward terms: bounded, dimensionless, elementwise."""

from typing import Any

from robossl.core import Array
from robossl.envs.compiled import fused
from robossl.envs.host import namespace_of


def tolerance(value: Array, *, high: float, margin: float, low: float = 0.0) -> Array:
    """Returns how well values keep to [low, high]: 1 inside, falling in a straight line to 0 at `margin` outside.

    The slope is the same from the margin to the goal, so that a learner far away is told as clearly as one nearby.

    Args:
        value: [...], in the same unit as the bounds.
        high: upper bound of what is as good as perfect.
        margin: distance from the bounds at which nothing is left.
        low: lower bound.

    Returns:
        [...] in [0, 1].

    Raises:
        ValueError: if the bounds are reversed or the margin is not positive.
    """
    if low > high or margin <= 0:
        raise ValueError(f"tolerance needs low <= high and margin > 0, got low={low}, high={high}, margin={margin}")
    return _tolerance(namespace_of(value), value, low, high, margin)


@fused
def _tolerance(xp: Any, value: Array, low: float, high: float, margin: float) -> Array:
    below, above = low - value, value - high
    left = 1 - (below * (below > 0) + above * (above > 0)) / margin
    result = xp.empty_like(value)
    result[...] = left * (left > 0)
    return result


def indicator(xp: Any, condition: Array) -> Array:
    """Returns 1 where a condition [...] holds, else 0."""
    return xp.astype(condition, xp.float32)
