"""At which nodes of a grid the robot fits, with walls and furniture as an episode has them. On the host."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled
from robossl.envs.tasks.geodesic import Grid
from robossl.envs.tasks.house_plan import NUM_STATES, NUM_WALLS
from robossl.envs.tasks.ring_geometry import box_distance
from robossl.envs.tasks.rooms_geometry import (
    FURNITURE_RADIUS_M,
    ROBOT_RADIUS_M,
    RUNS_NORTH,
    WALL_HALF_M,
    along_wall,
    inner_distance,
    piece_lengths,
    placed,
)

CLEAR_M = ROBOT_RADIUS_M + 0.04
"""Shortest paths keep the robot's middle this far from everything."""

Floats = NDArray[np.float64]


class Clearance:
    """Knows where walls leave room; what furniture takes is looked at node by node.

    Args:
        grid: the nodes.
        door_m: width of the doorways.
        shapes: [3, P] half_x, half_y and radius of furniture.
    """

    def __init__(self, grid: Grid, door_m: float, shapes: NDArray[np.float32]) -> None:
        self._grid, self._door_m, self._shapes = grid, door_m, shapes

    def is_free(self, states: NDArray[np.int64], pieces: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tells where the robot's middle is `CLEAR_M` from everything, [n, G, G].

        Args:
            states: [n, 12] how the walls are.
            pieces: [n, 4, P] x, y, cosine and sine of furniture, whose shapes are known.
        """
        grid = self._grid
        free = np.empty((len(states), grid.size, grid.size), bool)
        _mark_walls(states, self._inside, self._clear_of_wall, free.reshape(len(states), -1))
        reach_m = FURNITURE_RADIUS_M + CLEAR_M
        _mark_furniture(pieces, self._shapes, grid.axis_m, reach_m, CLEAR_M, free)
        return free

    @cached_property
    def _inside(self) -> NDArray[np.bool_]:
        """[G * G] nodes that are clear of the outer walls."""
        axis = self._grid.axis_m
        return np.asarray(inner_distance(np, axis[:, None], axis[None]) >= CLEAR_M).ravel()

    @cached_property
    def _clear_of_wall(self) -> NDArray[np.bool_]:
        """[12, 6, G * G] nodes that are clear of an inner wall that is in a state."""
        axis, along = self._grid.axis_m, along_wall(self._door_m)
        lengths = (*piece_lengths(self._door_m), self._door_m)
        clear = np.ones((NUM_WALLS, NUM_STATES, self._grid.size**2), bool)
        for wall, state, part in np.ndindex(NUM_WALLS, NUM_STATES, len(lengths)):
            if np.isnan(along[state, part]):
                continue
            x, y = placed(np.array(wall), along[state, part])
            half = (WALL_HALF_M, lengths[part] / 2) if RUNS_NORTH[wall] else (lengths[part] / 2, WALL_HALF_M)
            over = np.broadcast_arrays(np.abs(axis[:, None] - x) - half[0], np.abs(axis[None] - y) - half[1])
            clear[wall, state] &= np.asarray(box_distance(np, *over) >= CLEAR_M).ravel()
        return clear


@compiled
def _mark_walls(
    states: NDArray[np.int64], inside: NDArray[np.bool_], clear_of_wall: NDArray[np.bool_], free: NDArray[np.bool_]
) -> None:
    """Fills `free` [n, G * G] by what walls leave."""
    for world in range(len(states)):
        free[world] = inside
        for wall in range(states.shape[1]):
            free[world] &= clear_of_wall[wall, states[world, wall]]


@compiled
def _mark_furniture(
    pieces: NDArray[np.float32],
    shapes: NDArray[np.float32],
    axis_m: Floats,
    reach_m: float,
    clear_m: float,
    free: NDArray[np.bool_],
) -> None:
    """Takes from `free` [n, G, G] what is nearer than `clear_m` to furniture, which fits into `reach_m` with it."""
    for world, piece in np.ndindex(len(pieces), pieces.shape[2]):
        x, y, cos, sin = pieces[world, :, piece]
        half_x, half_y, radius = shapes[:, piece]
        first_i, last_i = np.searchsorted(axis_m, x - reach_m), np.searchsorted(axis_m, x + reach_m)
        first_j, last_j = np.searchsorted(axis_m, y - reach_m), np.searchsorted(axis_m, y + reach_m)
        for i in range(first_i, last_i):
            for j in range(first_j, last_j):
                dx, dy = axis_m[i] - x, axis_m[j] - y
                over_x = max(abs(cos * dx + sin * dy) - half_x, 0.0)
                over_y = max(abs(cos * dy - sin * dx) - half_y, 0.0)
                if over_x * over_x + over_y * over_y < (clear_m + radius) ** 2:
                    free[world, i, j] = False
