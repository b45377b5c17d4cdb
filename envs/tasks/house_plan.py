"""Random plans of a house of nine rooms: which are joined, and how far apart they are. Over n episodes, on the host.

Rooms are numbered row by row from the south-west, the twelve inner walls first those between neighbours in a row, then
those between rows.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled

NUM_SIDE = 3
NUM_ROOMS = NUM_SIDE**2

DOORS, CLOSED, OPEN = (0, 1, 2, 3), 4, 5
"""How a wall may be: with a doorway at one of four places, shut, or not there at all."""
NUM_STATES = 6

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def wall_rooms() -> Ints:
    """Returns the two rooms [12, 2] on the sides of each inner wall."""
    room = np.arange(NUM_ROOMS).reshape(NUM_SIDE, NUM_SIDE)
    beside = np.stack([room[:, :-1].ravel(), room[:, 1:].ravel()], axis=1)
    above = np.stack([room[:-1].ravel(), room[1:].ravel()], axis=1)
    return np.concatenate([beside, above])


WALL_ROOMS = wall_rooms()
NUM_WALLS = len(WALL_ROOMS)
NUM_PLUGS = NUM_WALLS - NUM_ROOMS + 1
"""Pieces that shut doorways: so many walls can be shut before a room is cut off."""


@compiled
def spanning_tree(keys: Floats) -> NDArray[np.bool_]:
    """Tells which walls [n, 12] must have a way through, so that every room can be reached: Kruskal's algorithm.

    Args:
        keys: [n, 12] random numbers; walls with small ones are joined first.
    """
    is_joined = np.zeros(keys.shape, np.bool_)
    for house in range(len(keys)):
        part = np.arange(NUM_ROOMS)
        for wall in np.argsort(keys[house]):
            one, other = part[WALL_ROOMS[wall, 0]], part[WALL_ROOMS[wall, 1]]
            if one != other:
                is_joined[house, wall] = True
                part[part == other] = one
    return is_joined


@compiled
def wall_states(must_pass: NDArray[np.bool_], keys: Floats, closed_chance: float, open_chance: float) -> Ints:
    """Returns how the walls are, [n, 12] of `DOORS`, `CLOSED` and `OPEN`.

    Args:
        must_pass: [n, 12] walls that cannot be shut.
        keys: [n, 3, 12] random numbers in [0, 1).
        closed_chance: of a wall that can be shut.
        open_chance: of any other.
    """
    states = np.empty(must_pass.shape, np.int64)
    for house, wall in np.ndindex(must_pass.shape):
        door, opens, shuts = keys[house, :, wall]
        states[house, wall] = int(door * len(DOORS))
        if opens < open_chance:
            states[house, wall] = OPEN
        if shuts < closed_chance and not must_pass[house, wall]:
            states[house, wall] = CLOSED
    return states


@compiled
def hops(states: Ints, start: Ints) -> Ints:
    """Returns how many doors [n, 9] lie between each room and the one an episode starts in, `start` [n]."""
    away = np.full((len(states), NUM_ROOMS), NUM_ROOMS)
    for house in range(len(states)):
        count = away[house]
        count[start[house]] = 0
        for _ in range(NUM_ROOMS - 1):
            for wall in range(NUM_WALLS):
                if states[house, wall] != CLOSED:
                    one, other = WALL_ROOMS[wall]
                    count[one] = min(count[one], count[other] + 1)
                    count[other] = min(count[other], count[one] + 1)
    return away


@compiled
def choose_room(count: Ints, keys: Floats, least: int, most: int) -> Ints:
    """Chooses rooms [n] that are from `least` to `most` doors away, else the farthest below.

    Args:
        count: [n, 9] doors away.
        keys: [n, 9] random numbers.
        least: lower bound.
        most: upper bound.
    """
    chosen = np.empty(len(count), np.int64)
    for house in range(len(count)):
        far = 0
        for room in range(NUM_ROOMS):
            if far < count[house, room] <= most:
                far = count[house, room]
        best = -1.0
        for room in range(NUM_ROOMS):
            if min(least, far) <= count[house, room] <= most and keys[house, room] > best:
                best, chosen[house] = keys[house, room], room
    return chosen
