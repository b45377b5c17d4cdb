"""Where walls, furniture, starts and goals are in houses whose plans are known. Loops over worlds, on the host."""

import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled

_APART_M = (0.24, 0.29)  # of the two pieces that a room has place for, from its middle
_BAND_M = (0.69, 0.89)  # of starts and goals, from a room's middle: past all furniture and off the walls
_LEAST_M = 1.0  # from start to goal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def choose_ends(
    centre: Floats, room: Ints, goal_room: Ints, unit: Floats, goal_unit: Floats, start: Floats, goal: Floats
) -> None:
    """Fills `start` and `goal` [n, 2]: on the way round the furniture of their rooms [n], not too near."""
    for world in range(len(room)):
        _go_round(centre[room[world]], unit[world], start[world])
        _go_round(centre[goal_room[world]], goal_unit[world], goal[world])
        if np.hypot(start[world, 0] - goal[world, 0], start[world, 1] - goal[world, 1]) < _LEAST_M:
            for axis in range(2):
                start[world, axis] = 2 * centre[room[world], axis] - start[world, axis]


@compiled
def _go_round(centre: Floats, unit: Floats, point: Floats) -> None:
    """Fills `point` [2] on the way round a room, from `unit` [2]."""
    out = _BAND_M[0] + (_BAND_M[1] - _BAND_M[0]) * unit[0]
    side = int(4 * unit[1])
    along = out * (2 * (4 * unit[1] - side) - 1)
    cos, sin = (1, 0, -1, 0)[side], (0, 1, 0, -1)[side]
    point[0], point[1] = centre[0] + cos * out - sin * along, centre[1] + sin * out + cos * along


@compiled
def place_walls(
    states: Ints, along_m: Floats, centre: Floats, runs_north: NDArray[np.bool_], closed: int, place: Floats
) -> None:
    """Writes to `place` [n, 3, P] where the parts of walls [n, 12] are: the short and long pieces, then the plugs."""
    num_walls = states.shape[1]
    for world in range(len(states)):
        plug = 2 * num_walls
        for wall in range(num_walls):
            state, along = states[world, wall], runs_north[wall]
            for part in range(3):
                piece = 2 * wall + part if part < 2 else plug
                if not np.isnan(along_m[state, part]):
                    place[world, 0, piece] = centre[wall, 0] + along_m[state, part] * (not along)
                    place[world, 1, piece] = centre[wall, 1] + along_m[state, part] * along
            if state == closed:
                place[world, 2, plug] = 0.0 if along else np.pi / 2
                plug += 1


@compiled
def place_furniture(
    centre: Floats, count: Ints, slot: Floats, direction: Floats, of_pieces: Floats, place: Floats
) -> None:
    """Writes to `place` [n, 3, P] where `count` [n] pieces of furniture stand, two to a room at most.

    Args:
        centre: [9, 2] of rooms.
        count: [n].
        slot: [n, 18] random numbers; the places with the lowest are taken.
        direction: [n, 9] random numbers, in which a room's pieces are apart.
        of_pieces: [n, 3, 12] random numbers: which pieces are chosen, how far from the middle, how they are turned.
        place: written to.
    """
    first = place.shape[2] - of_pieces.shape[2]
    for world in range(len(count)):
        slots, chosen = np.argsort(slot[world]), np.argsort(of_pieces[world, 0])
        for piece in chosen[: count[world]]:
            room, side = slots[piece] // 2, 1 - 2 * (slots[piece] % 2)
            apart = side * (_APART_M[0] + (_APART_M[1] - _APART_M[0]) * of_pieces[world, 1, piece])
            place[world, 0, first + piece] = centre[room, 0] + apart * np.cos(2 * np.pi * direction[world, room])
            place[world, 1, first + piece] = centre[room, 1] + apart * np.sin(2 * np.pi * direction[world, room])
            place[world, 2, first + piece] = np.pi * of_pieces[world, 2, piece]
