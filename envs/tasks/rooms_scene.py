"""How an episode in the house is laid out: from uniform random numbers to walls, furniture, start and goal.

Everything here is numpy on the host: arrays over the n worlds that begin an episode. Furniture stands in the middle of
the rooms and leaves a way along all walls; starts and goals lie on that way. So every room can be reached from every
other, whatever is drawn.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws
from robossl.envs.engine import Engine
from robossl.envs.tasks import house_plan
from robossl.envs.tasks.drawn import DrawnTogether
from robossl.envs.tasks.geodesic import NODE_M, Grid
from robossl.envs.tasks.house_plan import CLOSED, NUM_PLUGS, NUM_ROOMS, NUM_WALLS
from robossl.envs.tasks.ring_geometry import footprints
from robossl.envs.tasks.rooms_clearance import Clearance
from robossl.envs.tasks.rooms_config import RoomsConfig
from robossl.envs.tasks.rooms_geometry import (
    NUM_FURNITURE,
    OUTER_M,
    RUNS_NORTH,
    WALL_CENTRES_M,
    along_wall,
    room_centres,
)
from robossl.envs.tasks.rooms_placing import choose_ends, place_furniture, place_walls
from robossl.envs.tasks.scene_colours import SceneColours

_SLOTS = 2 * NUM_ROOMS
_COLOUR_SHIFT = {"floor": 0.08, "wall": 0.10, "furniture": 0.14, "robot": 0.0, "goal": 0.0}
_WALL_PIECES = [f"wall_{wall:02d}_{piece}" for wall in range(NUM_WALLS) for piece in ("short", "long")]
_PLUGS = [f"wall_plug_{plug}" for plug in range(NUM_PLUGS)]
_FURNITURE = [f"furniture_{piece:02d}" for piece in range(NUM_FURNITURE)]
_DRAWN = {
    "joined": (NUM_WALLS,),
    "walls": (3, NUM_WALLS),
    "start_room": (),
    "start": (2,),
    "yaw": (1,),
    "goal_room": (NUM_ROOMS,),
    "goal": (2,),
    "count": (),
    "chosen": (NUM_FURNITURE,),
    "slot": (_SLOTS,),
    "direction": (NUM_ROOMS,),
    "apart": (NUM_FURNITURE,),
    "turn": (NUM_FURNITURE,),
    "light": (1,),
}
"""The random numbers of an episode, beside those of the colours, which come last."""
_NUM_PIECES = len(_WALL_PIECES) + NUM_PLUGS + NUM_FURNITURE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RoomsScene:
    """Knows the compiled model's pieces and colours, and lays out episodes with them.

    Attributes:
        grid: nodes of the shortest paths.
        looks: the colours.
        pieces_shape: (4, P), of what tells where inner walls and furniture are.
        shapes: [3, P] half_x, half_y and radius of these pieces.
    """

    def __init__(self, model: Any, config: RoomsConfig) -> None:
        self.grid, self._config = Grid(OUTER_M - NODE_M), config
        self.pieces_shape = (4, _NUM_PIECES)
        self.looks = SceneColours(model, _COLOUR_SHIFT, _colour_of)
        bodies = np.array([model.body(name).id for name in (*_WALL_PIECES, *_PLUGS, *_FURNITURE)])
        geoms = model.body_geomadr[bodies]
        size, is_box = model.geom_size[geoms], model.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_BOX
        first = model.body_mocapid[bodies[0]]
        assert (model.body_mocapid[bodies] == first + np.arange(len(bodies))).all()  # a slice is cheaper than a choice
        self._goal, self._pieces = int(model.body("goal").mocapid[0]), slice(first, first + len(bodies))
        self._parked = model.body_pos[np.flatnonzero(model.body_mocapid >= 0)].copy()
        self._parking = np.stack([*self._parked[self._pieces, :2].T, np.zeros(len(bodies))])
        self._half_heights = np.where(is_box, size[:, 2], size[:, 1])
        self._geoms, self._is_box = geoms, is_box
        self.shapes = np.ascontiguousarray(footprints(size, is_box).T)
        self._drawn = DrawnTogether({**_DRAWN, "colour": (self.looks.num, 3)})
        self._centres, self._along = room_centres(), along_wall(config.door_m)
        self._clearance = Clearance(self.grid, config.door_m, self.shapes[:, -NUM_FURNITURE:].copy())

    def draw(self, draws: Draws) -> dict[str, Floats]:
        """Draws all that an episode needs, {name: [n, ...]} in [0, 1)."""
        return {name: np.ascontiguousarray(unit) for name, unit in self._drawn.draw(draws).items()}

    def lay_out(self, unit: dict[str, Floats]) -> dict[str, Array]:
        """Returns what episodes begin with, {name: [n, ...]}.

        Beside state fields that is `goal_w` [n, 2], `pieces` [n, 4, P], x, y, cosine and sine of inner walls and then
        furniture, and `field` [n, G * G], what `Grid.distance` returns.
        """
        states = self._walls(unit)
        start, goal = self._ends(states, unit)
        place = self._placed(states, unit)
        position, quat = self._put_up(place)
        position[:, self._goal, :2] = goal
        position[:, self._goal, 2] = 0.001
        pieces = np.stack([*place[:, :2].swapaxes(0, 1), np.cos(place[:, 2]), np.sin(place[:, 2])], axis=1)
        pieces = pieces.astype(np.float32)
        field = self.grid.distance(self._clearance.is_free(states, pieces[..., -NUM_FURNITURE:]), goal)
        return {
            "qpos": np.concatenate([start, np.pi * (2 * unit["yaw"] - 1)], axis=1),
            "mocap_pos": position,
            "mocap_quat": quat,
            "goal_w": goal,
            "pieces": pieces,
            "field": field.reshape(len(goal), -1),
        }

    def shapes_in(self, engine: Engine) -> NDArray[np.float32]:
        """Returns half_x, half_y and radius of the pieces, [P, 3], or [N, P, 3] where the worlds' sizes differ."""
        size = engine.own_values("geom_size")
        return self.shapes.T if size is None else footprints(size[:, self._geoms], self._is_box)

    def _walls(self, unit: dict[str, Floats]) -> Ints:
        must_pass = house_plan.spanning_tree(unit["joined"])
        return house_plan.wall_states(must_pass, unit["walls"], self._config.closed_chance, self._config.open_chance)

    def _ends(self, states: Ints, unit: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Chooses where episodes start, and their goals, [n, 2] each: as many doors apart as asked for."""
        room = (unit["start_room"] * NUM_ROOMS).astype(np.int64)
        goal_room = house_plan.choose_room(house_plan.hops(states, room), unit["goal_room"], *self._config.hops)
        start, goal = np.empty((len(room), 2)), np.empty((len(room), 2))
        choose_ends(self._centres, room, goal_room, unit["start"], unit["goal"], start, goal)
        return start, goal

    def _placed(self, states: Ints, unit: dict[str, Floats]) -> Floats:
        """Chooses x, y and yaw of walls and furniture, [n, 3, P]; what is not needed stays parked."""
        place = np.repeat(self._parking[None], len(states), axis=0)
        place_walls(states, self._along, WALL_CENTRES_M, RUNS_NORTH, CLOSED, place)
        fewest, most = self._config.furniture
        count = fewest + (unit["count"] * (most + 1 - fewest)).astype(np.int64)
        of_pieces = np.stack([unit["chosen"], unit["apart"], unit["turn"]], axis=1)
        place_furniture(self._centres, count, unit["slot"], unit["direction"], of_pieces, place)
        return place

    def _put_up(self, place: Floats) -> tuple[Floats, Floats]:
        """Returns positions [n, M, 3] and orientations [n, M, 4] of mocap bodies with walls and furniture in place."""
        position = np.repeat(self._parked[None], len(place), axis=0)
        quat = np.zeros((*position.shape[:2], 4))
        quat[..., 0] = 1
        of_pieces, half_yaw = position[:, self._pieces], place[:, 2] / 2
        of_pieces[..., :2] = place[:, :2].swapaxes(1, 2)
        of_pieces[..., 2] = self._half_heights  # those that are not needed, too: far below, they would slow the physics
        quat[:, self._pieces, 0], quat[:, self._pieces, 3] = np.cos(half_yaw), np.sin(half_yaw)
        return position, quat


def _colour_of(geom: str) -> str:
    """Returns what shares a colour with the geom: all walls are alike, every piece of furniture is its own."""
    return geom if geom.startswith("furniture") else geom.partition("_")[0]
