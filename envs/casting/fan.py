"""Rays that start at one point."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_NONE = np.empty(0)


class Fan(NamedTuple):
    """Directions in a frame, in rows: u, v and w times its axes.

    Attributes:
        u, v, w: [H, W].
        x, y: [W] and [H] pixel centres where the rays make a picture, which is u = x, v = y and w = 1; else empty.
    """

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    w: NDArray[np.float64]
    x: NDArray[np.float64] = _NONE
    y: NDArray[np.float64] = _NONE


def picture_fan(width: int, height: int) -> Fan:
    """Returns the rays through all pixels, in a frame whose axes lead to the right edge of a square, up, and ahead.

    Pixels are square; the picture's upper edge is at y = 1.
    """
    x = (2 * np.arange(width) + 1 - width) / height
    y = (height - 1 - 2 * np.arange(height)) / height
    u, v = np.meshgrid(x, y)
    return Fan(np.ascontiguousarray(u), np.ascontiguousarray(v), np.ones_like(u), x, y)


def beam_fan(directions: NDArray[np.float64]) -> Fan:
    """Returns rays in any directions [R, 3]."""
    u, v, w = np.ascontiguousarray(np.asarray(directions, np.float64).T)[:, None]
    return Fan(u, v, w)
