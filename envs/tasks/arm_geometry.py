"""Places on a table and distances between them, for arrays with a leading world axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import fused

Bounds = tuple[Any, Any]
"""The least and the greatest value of something drawn: numbers, or arrays such as two corners of a region."""


@fused
def heading(xp: Any, quaternion: Array) -> Array:
    """Returns sin and cos [N, 2] of the yaw of unit quaternions [N, 4], scaled down where they tilt."""
    w, x, y, z = quaternion[:, 0], quaternion[:, 1], quaternion[:, 2], quaternion[:, 3]
    result = xp.empty_like(quaternion[:, :2])
    result[:, 0] = 2 * (w * z + x * y)
    result[:, 1] = 1 - 2 * (y * y + z * z)
    return result


def between(bounds: Bounds, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scales numbers in [0, 1) to bounds, by broadcasting."""
    return np.asarray(bounds[0] + (bounds[1] - bounds[0]) * unit)


def first_far(
    start: NDArray[np.float64], candidates: NDArray[np.float64], region: Bounds, least_m: float
) -> NDArray[np.float64]:
    """Returns the first of [n, K, D] candidates that is `least_m` from `start` [n, D].

    Where none is, it is the farthest corner of the region.
    """
    low, high = region
    corner = np.asarray(np.where(start > (low + high) / 2, low, high))
    places = np.concatenate([candidates, corner[:, None]], axis=1)
    is_far = np.sqrt(((places - start[:, None]) ** 2).sum(axis=-1)) >= least_m
    return np.asarray(places[np.arange(len(places)), is_far.argmax(axis=1)])
