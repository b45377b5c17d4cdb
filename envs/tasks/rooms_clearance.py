"""At which nodes of a grid the robot fits, with walls and furniture as an episode has them. On the host."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from robossl.envs.tasks.geodesic import NODE_M, Grid
from robossl.envs.tasks.ring_geometry import box_distance, obstacle_distance
from robossl.envs.tasks.rooms_geometry import (
    FURNITURE_RADIUS_M,
    NUM_STATES,
    NUM_WALLS,
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
    """

    def __init__(self, grid: Grid, door_m: float) -> None:
        self._grid, self._door_m = grid, door_m

    def is_free(self, states: NDArray[np.int64], furniture: Floats) -> NDArray[np.bool_]:
        """Tells where the robot's middle is `CLEAR_M` from everything, [n, G, G].

        Args:
            states: [n, 12] how the walls are.
            furniture: [n, P, 7] `ring_geometry.OBSTACLE_NAMES`.
        """
        size = self._grid.size
        free = np.broadcast_to(self._inside, (len(states), size * size)).copy()
        for wall in range(NUM_WALLS):
            free &= self._clear_of_wall[wall][states[:, wall]]
        i, j, gap = self._around(furniture)
        row, piece, k = np.nonzero(gap < CLEAR_M)
        free[row, (i * size + j)[row, piece, k]] = False
        return free.reshape(-1, size, size)

    def _around(self, furniture: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Returns the nodes i, j [n, P, K] that furniture may reach, and how far it is from each."""
        grid, reach = self._grid, int((FURNITURE_RADIUS_M + CLEAR_M) / NODE_M) + 1
        steps = np.arange(-reach, reach + 1)
        node = np.rint((furniture[..., :2] + grid.half_m) / NODE_M).astype(np.int64)
        i = np.clip(node[..., :1] + np.repeat(steps, len(steps)), 0, grid.size - 1)
        j = np.clip(node[..., 1:] + np.tile(steps, len(steps)), 0, grid.size - 1)
        gap = obstacle_distance(np, grid.axis_m[i], grid.axis_m[j], furniture[:, :, None])
        return i, j, np.asarray(gap)

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
