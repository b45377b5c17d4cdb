"""Numbers side by side, in every array namespace."""

from typing import Any

from robossl.core import Array


def columns(xp: Any, *parts: Array) -> Array:
    """Returns K arrays [...] as one, [..., K]: what numpy's `stack` does, at half its price for short ones."""
    return xp.concat([part[..., None] for part in parts], axis=-1)
