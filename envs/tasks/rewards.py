"""Shapes for reward terms: bounded, dimensionless, elementwise."""

from typing import Any

from robossl.core import Array


def indicator(xp: Any, condition: Array) -> Array:
    """Returns 1 where a condition [...] holds, else 0."""
    return xp.astype(condition, xp.float32)
