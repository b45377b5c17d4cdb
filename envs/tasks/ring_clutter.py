"""Litter along the walls of the ring corridor: what the hard level has beside obstacles. On the host."""

import numpy as np
from numpy.typing import NDArray

from robossl.envs.tasks.ring_geometry import LENGTH_M, centre_line

_PLACES = 8  # where cars start: two on every side of the ring
NUM_CLUTTER = 2 * (_PLACES - 1)
"""Pieces: one before and one after each place but the one where an episode starts."""
_ALONG_M = (0.5, 0.9)  # from such a place: obstacles stand farther away
_OFFSET_M = (0.45, 1.2)  # from the centre line

Floats = NDArray[np.float64]


def litter(place: NDArray[np.int64], places_m: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """Puts clutter beside the lane, on this side or that.

    Args:
        place: [n] index of the place where an episode starts.
        places_m: [8] arc coordinates of the places.
        unit: [n, 4, 14] random numbers in [0, 1).

    Returns:
        Positions [n, 14, 2] and half the turns [n, 14], rad.
    """
    along, offset, side, turn = unit.transpose(1, 0, 2)
    other = (place[:, None] + 1 + np.arange(NUM_CLUTTER) // 2) % _PLACES
    before = np.where(np.arange(NUM_CLUTTER) % 2, 1.0, -1.0)
    arc = places_m[other] + before * (_ALONG_M[0] + (_ALONG_M[1] - _ALONG_M[0]) * along)
    out = np.where(side < 0.5, -1.0, 1.0) * (_OFFSET_M[0] + (_OFFSET_M[1] - _OFFSET_M[0]) * offset)
    x, y, _ = centre_line(arc % LENGTH_M, out)
    return np.stack([x, y], axis=2), turn * (np.pi / 2)
