"""Sizes of the house of nine rooms, and where the pieces of its inner walls stand.

Where a number comes from stands in assets/rooms_point_goal/README.md.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.tasks.house_plan import NUM_ROOMS, NUM_SIDE, NUM_WALLS, WALL_ROOMS

PITCH_M = 2.2
"""From the middle of a room to that of the next, and the length of a wall between two."""
OUTER_M = NUM_SIDE * PITCH_M / 2
WALL_HALF_M = 0.05
INNER_M = OUTER_M - WALL_HALF_M
PIECES_DIFFER_M = 0.4
"""By how much the long piece of a wall is longer than the short one: doorways are at one of four places."""
ROBOT_RADIUS_M = 0.12
FURNITURE_RADIUS_M = 0.24
"""Of the circle that every piece of furniture fits into."""

NUM_FURNITURE = 12

Floats = NDArray[np.float64]


def room_centres() -> Floats:
    """Returns the rooms' middles [9, 2], m."""
    row, column = np.divmod(np.arange(NUM_ROOMS), NUM_SIDE)
    return (np.stack([column, row], axis=1) - (NUM_SIDE - 1) / 2) * PITCH_M


WALL_CENTRES_M = room_centres()[WALL_ROOMS].mean(axis=1)
RUNS_NORTH = np.arange(NUM_WALLS) < NUM_WALLS // 2
"""[12] whether a wall runs from south to north, not from west to east."""


def piece_lengths(door_m: float) -> tuple[float, float]:
    """Returns the lengths of a wall's short and long piece beside a doorway of that width."""
    short_m = (PITCH_M - door_m - PIECES_DIFFER_M) / 2
    return short_m, short_m + PIECES_DIFFER_M


def along_wall(door_m: float) -> Floats:
    """Returns where along a wall, from its middle, its parts have theirs: [6, 3] of the short piece, long one, plug.

    What is not there is NaN.
    """
    end, (short, long) = PITCH_M / 2, piece_lengths(door_m)
    first_short, first_long = short / 2 - end, long / 2 - end
    last_short, last_long = -first_short, -first_long
    nan = np.nan
    return np.array(
        [
            [door_m - end + short / 2, last_long, nan],
            [first_short, last_long, nan],
            [last_short, first_long, nan],
            [first_short, short - end + long / 2, nan],
            [first_short, last_long, short - end + door_m / 2],
            [nan, nan, nan],
        ]
    )


def placed(wall: NDArray[np.int64], along_m: Floats) -> Floats:
    """Returns the points [..., 2] of walls [...] at distances [...] along them."""
    axis = np.stack([~RUNS_NORTH, RUNS_NORTH], axis=1)[wall]
    return np.asarray(WALL_CENTRES_M[wall] + axis * along_m[..., None])


def inner_distance(xp: Any, x_m: Array, y_m: Array) -> Array:
    """Returns the distance [...] of points in the house from the outer walls."""
    return INNER_M - xp.maximum(xp.abs(x_m), xp.abs(y_m))
