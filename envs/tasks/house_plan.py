"""Random plans of a house: which rooms are joined, and how far apart they are. Arrays over n episodes, on the host."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from robossl.envs.tasks.rooms_geometry import CLOSED, DOORS, NUM_ROOMS, NUM_WALLS, OPEN, WALL_ROOMS

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def spanning_tree(keys: Floats) -> NDArray[np.bool_]:
    """Tells which walls [n, 12] must have a way through, so that every room can be reached: Kruskal's algorithm.

    Args:
        keys: [n, 12] random numbers; walls with small ones are joined first.
    """
    rows, part = np.arange(len(keys)), np.tile(np.arange(NUM_ROOMS), (len(keys), 1))
    is_joined = np.zeros(keys.shape, bool)
    for wall in keys.argsort(axis=1, kind="stable").T:
        one, other = part[rows, WALL_ROOMS[wall, 0]], part[rows, WALL_ROOMS[wall, 1]]
        is_joined[rows, wall] = one != other
        part = np.where(part == other[:, None], one[:, None], part)
    return is_joined


def wall_states(must_pass: NDArray[np.bool_], keys: Floats, *, closed_chance: float, open_chance: float) -> Ints:
    """Returns how the walls are, [n, 12] of `DOORS`, `CLOSED` and `OPEN`.

    Args:
        must_pass: [n, 12] walls that cannot be shut.
        keys: [3, n, 12] random numbers in [0, 1).
        closed_chance: of a wall that can be shut.
        open_chance: of any other.
    """
    states: Ints = np.floor(keys[0] * len(DOORS)).astype(np.int64)
    states[keys[1] < open_chance] = OPEN
    states[~must_pass & (keys[2] < closed_chance)] = CLOSED
    return states


def hops(states: Ints, start: Ints) -> Ints:
    """Returns how many doors [n, 9] lie between each room and the one an episode starts in, `start` [n]."""
    rows, wall = np.nonzero(states != CLOSED)
    one, other = WALL_ROOMS[wall].T
    joined = np.zeros((len(states), NUM_ROOMS, NUM_ROOMS), bool)
    joined[rows, one, other] = joined[rows, other, one] = True
    count = np.where(np.arange(NUM_ROOMS) == start[:, None], 0, NUM_ROOMS)
    for step in range(1, NUM_ROOMS):
        reached = (joined & (count < step)[:, None]).any(axis=2)
        count = np.where(reached & (count > step), step, count)
    return count


def choose_room(count: Ints, keys: Floats, *, least: int, most: int) -> Ints:
    """Chooses rooms [n] that are from `least` to `most` doors away, else the farthest below.

    Args:
        count: [n, 9] doors away.
        keys: [n, 9] random numbers.
        least: lower bound.
        most: upper bound.
    """
    far = np.where(count <= most, count, -1).max(axis=1, keepdims=True)
    fits = (count <= most) & (count >= np.minimum(least, far))
    return np.asarray(np.where(fits, keys, -1.0).argmax(axis=1))


def closed_walls(states: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Returns the first four shut walls [n, 4], and which of the four there are: no plan has more."""
    is_closed = states == CLOSED
    order = (~is_closed).argsort(axis=1, kind="stable")[:, : NUM_WALLS - NUM_ROOMS + 1]
    return order, np.take_along_axis(is_closed, order, axis=1)
