"""How an episode of the ring corridor is laid out: from uniform random numbers to obstacles, start pose and colours.

What is laid out is numpy on the host: arrays over the n worlds that begin an episode.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws
from robossl.envs.compiled import compiled
from robossl.envs.engine import Engine
from robossl.envs.host import Constants
from robossl.envs.tasks.drawn import DrawnTogether
from robossl.envs.tasks.ring_clutter import litter
from robossl.envs.tasks.ring_geometry import (
    LENGTH_M,
    SIDE_M,
    centre_line,
    footprints,
)
from robossl.envs.tasks.scene_colours import SceneColours

NUM_OBSTACLES = 12

_SLOT_M = LENGTH_M / NUM_OBSTACLES
_ALONG_SLOT = (0.35, 0.65)  # where in its slot an obstacle may stand: the planner then gets past it in any world
_OBSTACLE_OFFSET_M = 0.9
_START_SLOTS = np.array([slot for slot in range(NUM_OBSTACLES) if slot % (SIDE_M / _SLOT_M)])  # not at a corner
_START_ALONG_SLOT, _START_OFFSET_M, _START_TURN_RAD = 0.05, 0.5, 0.4
_COLOUR_SHIFT = {"floor": 0.06, "outer": 0.08, "inner": 0.08, "obstacle": 0.14, "clutter": 0.14, "car": 0.0}

Floats = NDArray[np.float64]


class RingScene:
    """Knows the compiled model's obstacles and colours, and lays out episodes with them.

    Attributes:
        looks: the colours.
        shapes: [M, 3] half_x, half_y and radius of the 12 obstacles, and of what clutter there is.
    """

    def __init__(self, model: Any, min_obstacles: int, max_obstacles: int) -> None:
        self._min_obstacles, self._max_obstacles = min_obstacles, max_obstacles
        bodies = np.flatnonzero(model.body_mocapid >= 0)
        geoms = model.body_geomadr[bodies]
        size, is_box = model.geom_size[geoms], model.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_BOX
        self.shapes = footprints(size, is_box)
        self._shapes = Constants(self.shapes)
        self._geoms, self._is_box = geoms, is_box
        self._half_heights = np.where(is_box, size[:, 2], size[:, 1])
        self._parked = model.body_pos[bodies].copy()
        self.looks = SceneColours(model, _COLOUR_SHIFT, _colour_of)
        drawn = {"start": (5,), "count": (1,), "obstacles": (5, NUM_OBSTACLES), "light": (1,)}
        self._drawn = DrawnTogether({**drawn, "colour": (self.looks.num, 3)})

    def draw(self, draws: Draws) -> dict[str, Floats]:
        """Draws all that an episode needs, {name: [n, ...]} in [0, 1)."""
        return self._drawn.draw(draws)

    def start(self, unit: Floats) -> tuple[Floats, Floats]:
        """Starts cars between two slots and off the corners, in either direction.

        Args:
            unit: [n, 5].

        Returns:
            Pose [n, 3] and direction [n], +1 anticlockwise.
        """
        direction, arc, offset, turn = np.empty((4, len(unit)))
        _choose_starts(unit, _START_SLOTS, direction, arc, offset, turn)
        x, y, heading = centre_line(arc, offset)
        pose = np.empty((len(unit), 3))
        pose[:, 0], pose[:, 1], pose[:, 2] = x, y, heading + (1 - direction) * (np.pi / 2) + turn
        return pose, direction

    def obstacles(self, count: Floats, unit: Floats) -> tuple[Floats, Floats]:
        """Puts one obstacle, here or there, into as many slots as `count` says; parks the others.

        Clutter is not among them.

        Args:
            count: [n, 1].
            unit: [n, 5, 12].

        Returns:
            Positions [n, 12, 3] and orientations [n, 12, 4].
        """
        arc, offset = np.empty((2, *unit[:, 0].shape))
        is_placed = np.empty(arc.shape, bool)
        _choose_places(unit, count[:, 0], (self._min_obstacles, self._max_obstacles), arc, offset, is_placed)
        x, y, _ = centre_line(arc, offset)
        position, quat = np.empty((*x.shape, 3)), np.zeros((*x.shape, 4))
        _stand(x, y, unit[:, 4], is_placed, self._half_heights, self._parked, position, quat)
        return position, quat

    def clutter(self, start: Floats, unit: Floats) -> tuple[Floats, Floats]:
        """Puts clutter everywhere but where episodes start.

        Args:
            start: [n, 5] what `start` was given.
            unit: [n, 4, 14].

        Returns:
            Positions [n, 14, 3] and orientations [n, 14, 4].
        """
        place = np.floor(start[:, 0] * len(_START_SLOTS)).astype(np.int64)
        point, half_yaw = litter(place, _START_SLOTS * _SLOT_M, unit)
        height = np.broadcast_to(self._half_heights[NUM_OBSTACLES:, None], (*half_yaw.shape, 1))
        nothing = np.zeros_like(half_yaw)
        quat = np.stack([np.cos(half_yaw), nothing, nothing, np.sin(half_yaw)], axis=2)
        return np.concatenate([point, height], axis=2), quat

    def shapes_in(self, engine: Engine) -> Array:
        """Returns `shapes`, where the engine computes, or [N, M, 3], on the host, where sizes differ between worlds."""
        size = engine.own_values("geom_size")
        return self._shapes.on(engine)[0] if size is None else footprints(size[:, self._geoms], self._is_box)


def _colour_of(geom: str) -> str:
    """Returns what shares a colour with the geom: all outer walls are alike, every obstacle is its own."""
    return geom if geom.startswith(("obstacle", "clutter")) else geom.partition("_")[0]


@compiled
def _choose_starts(unit: Floats, slots: Any, direction: Floats, arc: Floats, offset: Floats, turn: Floats) -> None:
    """Fills [n] directions, arc coordinates and offsets where cars start, and their turns from there, rad."""
    for i in range(len(unit)):
        direction[i] = 1.0 if unit[i, 1] < 0.5 else -1.0
        arc[i] = (slots[int(unit[i, 0] * len(slots))] + _START_ALONG_SLOT * (2 * unit[i, 2] - 1)) * _SLOT_M
        offset[i] = _START_OFFSET_M * (2 * unit[i, 3] - 1)
        turn[i] = _START_TURN_RAD * (2 * unit[i, 4] - 1)


@compiled
def _choose_places(
    unit: Floats, count: Floats, limits: tuple[int, int], arc: Floats, offset: Floats, is_placed: NDArray[np.bool_]
) -> None:
    """Fills [n, D] arc coordinates and offsets of obstacles, and whether they are there.

    Of random keys [n, 5, D] the first two give which slot an obstacle stands in, and whether it is among the first.
    """
    low, high = limits
    slot, rank = np.empty((2, arc.shape[1]), np.int64)
    keys = np.empty(arc.shape[1])
    for i in range(arc.shape[0]):
        keys[:] = unit[i, 0]
        _fill_ranks(keys, slot)
        keys[:] = unit[i, 1]
        _fill_ranks(keys, rank)
        num_placed = low + np.floor(count[i] * (high + 1 - low))
        for k in range(arc.shape[1]):
            arc[i, k] = (slot[k] + _ALONG_SLOT[0] + (_ALONG_SLOT[1] - _ALONG_SLOT[0]) * unit[i, 2, k]) * _SLOT_M
            offset[i, k] = _OBSTACLE_OFFSET_M * (2 * unit[i, 3, k] - 1)
            is_placed[i, k] = rank[k] < num_placed


@compiled
def _fill_ranks(keys: Floats, ranks: NDArray[np.int64]) -> None:
    """Fills the place that each key has among all of them, the earlier one first where two are equal."""
    for k in range(len(keys)):
        key, rank = keys[k], 0
        for j in range(len(keys)):  # no branches, and of all: processors compare several at a time
            rank += (keys[j] < key) | ((keys[j] == key) & (j < k))
        ranks[k] = rank


@compiled
def _stand(
    x: Floats,
    y: Floats,
    turn: Floats,
    is_placed: NDArray[np.bool_],
    height: Floats,
    parked: Floats,
    position: Floats,
    quat: Floats,
) -> None:
    """Fills positions [n, D, 3], at a point or parked, and orientations [n, D, 4] within a quarter turn."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            place = (x[i, k], y[i, k], height[k]) if is_placed[i, k] else (parked[k, 0], parked[k, 1], parked[k, 2])
            position[i, k, 0], position[i, k, 1], position[i, k, 2] = place
            quat[i, k, 0], quat[i, k, 3] = np.cos(turn[i, k] * (np.pi / 2)), np.sin(turn[i, k] * (np.pi / 2))
