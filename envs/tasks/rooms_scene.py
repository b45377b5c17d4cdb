"""How an episode in the house is laid out: from uniform random numbers to walls, furniture, start and goal.

Everything here is numpy on the host: arrays over the n worlds that begin an episode. Furniture stands in the middle of
the rooms and leaves a way along all walls; starts and goals lie on that way. So every room can be reached from every
other, whatever is drawn.
"""

import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws
from robossl.envs.compiled import compiled
from robossl.envs.engine import Engine
from robossl.envs.tasks import house_plan
from robossl.envs.tasks.geodesic import NODE_M, Grid
from robossl.envs.tasks.house_plan import CLOSED, NUM_PLUGS, NUM_ROOMS, NUM_WALLS
from robossl.envs.tasks.ring_geometry import footprints
from robossl.envs.tasks.rooms_clearance import Clearance
from robossl.envs.tasks.rooms_config import RoomsConfig
from robossl.envs.tasks.rooms_geometry import (
    INNER_M,
    NUM_FURNITURE,
    OUTER_M,
    ROBOT_RADIUS_M,
    RUNS_NORTH,
    WALL_CENTRES_M,
    along_wall,
    room_centres,
)
from robossl.envs.tasks.scene_colours import SceneColours

_SLOTS = 2 * NUM_ROOMS
_APART_M = (0.24, 0.29)  # of the two pieces that a room has place for, from its middle
_BAND_M = (0.69, 0.89)  # of starts and goals, from a room's middle: past all furniture and off the walls
_LEAST_M = 1.0  # from start to goal
_NEAR_M = ROBOT_RADIUS_M + 0.002  # farther off, nothing touches, however coarsely an engine computes contacts
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
        pieces_shape: (4, P), of what tells where inner walls and furniture are.
    """

    def __init__(self, model: Any, config: RoomsConfig) -> None:
        self.grid, self._config = Grid(OUTER_M - NODE_M), config
        self.pieces_shape = (4, _NUM_PIECES)
        self._colours = SceneColours(model, _COLOUR_SHIFT, _colour_of)
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
        self._shapes = np.ascontiguousarray(footprints(size, is_box).T)
        shapes = {**_DRAWN, "colour": (self._colours.num, 3)}
        self._drawn, self._num_drawn = {}, 0
        for name, shape in shapes.items():
            first, self._num_drawn = self._num_drawn, self._num_drawn + math.prod(shape)
            self._drawn[name] = (slice(first, self._num_drawn), shape)
        self._centres, self._along = room_centres(), along_wall(config.door_m)
        self._clearance = Clearance(self.grid, config.door_m, self._shapes[:, -NUM_FURNITURE:].copy())

    def draw(self, draws: Draws) -> dict[str, Floats]:
        """Draws all that an episode needs, {name: [n, ...]} in [0, 1), in one call: the call is what costs."""
        unit = draws.uniform(shape=(self._num_drawn,))
        parts = {name: (np.ascontiguousarray(unit[:, part]), shape) for name, (part, shape) in self._drawn.items()}
        return {name: part.reshape(-1, *shape) for name, (part, shape) in parts.items()}

    def lay_out(self, unit: dict[str, Floats]) -> dict[str, Array]:
        """Returns what episodes begin with, {name: [n, ...]}.

        Beside state and model values by their MuJoCo names that is `goal` [n, 2], `pieces` [n, 4, P], x, y, cosine and
        sine of inner walls and then furniture, and `field` [n, G * G], what `Grid.distance` returns.
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
            "goal": goal,
            "pieces": pieces,
            "field": field.reshape(len(goal), -1),
            **self._colours.draw(unit["colour"], unit["light"]),
        }

    def shapes_in(self, engine: Engine) -> NDArray[np.float32]:
        """Returns half_x, half_y and radius of the pieces, [P, 3], or [N, P, 3] where the worlds' sizes differ."""
        size = engine.own_values("geom_size")
        return self._shapes.T if size is None else footprints(size[:, self._geoms], self._is_box)

    def touches(
        self, found: NDArray[np.float32], pose: NDArray[np.float32], pieces: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tells which robots touched something, and which others may touch something now, [N] each.

        Args:
            found: [N, S] contacts in substeps.
            pose: [N, 3].
            pieces: [N, 4, P] as in `lay_out`; none is larger than the model's.
        """
        return _touches(found, pose, pieces, self._shapes, INNER_M, _NEAR_M)

    def _walls(self, unit: dict[str, Floats]) -> Ints:
        must_pass = house_plan.spanning_tree(unit["joined"])
        return house_plan.wall_states(must_pass, unit["walls"], self._config.closed_chance, self._config.open_chance)

    def _ends(self, states: Ints, unit: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Chooses where episodes start, and their goals, [n, 2] each: as many doors apart as asked for."""
        room = (unit["start_room"] * NUM_ROOMS).astype(np.int64)
        goal_room = house_plan.choose_room(house_plan.hops(states, room), unit["goal_room"], *self._config.hops)
        start, goal = np.empty((len(room), 2)), np.empty((len(room), 2))
        _choose_ends(self._centres, room, goal_room, unit["start"], unit["goal"], start, goal)
        return start, goal

    def _placed(self, states: Ints, unit: dict[str, Floats]) -> Floats:
        """Chooses x, y and yaw of walls and furniture, [n, 3, P]; what is not needed stays parked."""
        place = np.repeat(self._parking[None], len(states), axis=0)
        _place_walls(states, self._along, WALL_CENTRES_M, RUNS_NORTH, CLOSED, place)
        fewest, most = self._config.furniture
        count = fewest + (unit["count"] * (most + 1 - fewest)).astype(np.int64)
        of_pieces = np.stack([unit["chosen"], unit["apart"], unit["turn"]], axis=1)
        _place_furniture(self._centres, count, unit["slot"], unit["direction"], of_pieces, place)
        return place

    def _put_up(self, place: Floats) -> tuple[Floats, Floats]:
        """Returns positions [n, M, 3] and orientations [n, M, 4] of mocap bodies with walls and furniture in place."""
        position = np.repeat(self._parked[None], len(place), axis=0)
        quat = np.zeros((*position.shape[:2], 4))
        quat[..., 0] = 1
        of_pieces, half_yaw = position[:, self._pieces], place[:, 2] / 2
        of_pieces[..., :2] = place[:, :2].swapaxes(1, 2)
        of_pieces[..., 2] = np.where(place[:, 0] == self._parking[0], of_pieces[..., 2], self._half_heights)
        quat[:, self._pieces, 0], quat[:, self._pieces, 3] = np.cos(half_yaw), np.sin(half_yaw)
        return position, quat


@compiled
def _touches(
    found: Array, pose: Array, pieces: Array, shapes: Array, inner_m: float, near_m: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """See `RoomsScene.touches`: near is what is nearer than `near_m` to pieces of shapes [3, P] or to outer walls."""
    touched, is_near = np.zeros(len(pose), np.bool_), np.zeros(len(pose), np.bool_)
    for world in range(len(pose)):
        x, y = pose[world, 0], pose[world, 1]
        if found[world].any():
            touched[world] = True
            continue
        near = inner_m - max(abs(x), abs(y)) < near_m
        for piece in range(pieces.shape[2]):
            dx, dy = x - pieces[world, 0, piece], y - pieces[world, 1, piece]
            half_x, half_y, reach = shapes[0, piece], shapes[1, piece], shapes[2, piece] + near_m
            if abs(dx) + abs(dy) < 1.5 * (half_x + half_y + reach):  # the box is in there however it is turned
                cos, sin = pieces[world, 2, piece], pieces[world, 3, piece]
                over_x = max(abs(cos * dx + sin * dy) - half_x, 0)
                over_y = max(abs(cos * dy - sin * dx) - half_y, 0)
                near |= over_x * over_x + over_y * over_y < reach * reach
        is_near[world] = near
    return touched, is_near


@compiled
def _choose_ends(
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
def _place_walls(
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
def _place_furniture(
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


def _colour_of(geom: str) -> str:
    """Returns what shares a colour with the geom: all walls are alike, every piece of furniture is its own."""
    return geom if geom.startswith("furniture") else geom.partition("_")[0]
