"""Numbers side by side, in every array namespace."""

from typing import Any

import numpy as np

from robossl.core import Array


def columns(xp: Any, *parts: Array) -> Array:
    """Returns K arrays [...] as one, [..., K]: what numpy's `stack` does, at half its price for short ones."""
    return xp.concat([part[..., None] for part in parts], axis=-1)


def joined(xp: Any, *parts: Array) -> Array:
    """Returns arrays [N, K], [N, L], ... as one, [N, K + L + ...], in float32: views of what an engine has, too."""
    if xp is np:
        return np.concatenate(parts, axis=-1, dtype=np.float32, casting="same_kind")
    return xp.concat([xp.astype(part, xp.float32, copy=False) for part in parts], axis=-1)
