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
from robossl.envs.tasks.columns import columns
from robossl.envs.tasks.geodesic import NODE_M, Grid
from robossl.envs.tasks.ring_geometry import footprints
from robossl.envs.tasks.rooms_clearance import Clearance
from robossl.envs.tasks.rooms_config import RoomsConfig
from robossl.envs.tasks.rooms_geometry import (
    CLOSED,
    NUM_FURNITURE,
    NUM_PLUGS,
    NUM_ROOMS,
    NUM_WALLS,
    OUTER_M,
    ROBOT_RADIUS_M,
    RUNS_NORTH,
    WALL_HALF_M,
    along_wall,
    inner_distance,
    placed,
    room_centres,
)
from robossl.envs.tasks.scene_colours import SceneColours

_SLOTS = 2 * NUM_ROOMS
_APART_M = (0.24, 0.29)  # of the two pieces that a room has place for, from its middle
_BAND_M = (0.69, 0.89)  # of starts and goals, from a room's middle: past all furniture and off the walls
_LEAST_M = 1.0  # from start to goal
_FAR_M = ROBOT_RADIUS_M + 0.03  # farther off, nothing touches, however coarsely an engine computes contacts
_COLOUR_SHIFT = {"floor": 0.08, "wall": 0.10, "furniture": 0.14, "robot": 0.0, "goal": 0.0}
_WALL_PIECES = [f"wall_{wall:02d}_{piece}" for wall in range(NUM_WALLS) for piece in ("short", "long")]
_PLUGS = [f"wall_plug_{plug}" for plug in range(NUM_PLUGS)]
_FURNITURE = [f"furniture_{piece:02d}" for piece in range(NUM_FURNITURE)]
_OF_FURNITURE = slice(-NUM_FURNITURE, None)  # of all these pieces
_OF_PLUGS = slice(_OF_FURNITURE.start - NUM_PLUGS, _OF_FURNITURE.start)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RoomsScene:
    """Knows the compiled model's pieces and colours, and lays out episodes with them.

    Attributes:
        grid: nodes of the shortest paths.
    """

    def __init__(self, model: Any, config: RoomsConfig) -> None:
        self.grid, self._config = Grid(OUTER_M - NODE_M), config
        self._clearance = Clearance(self.grid, config.door_m)
        self._colours = SceneColours(model, _COLOUR_SHIFT, _colour_of)
        bodies = np.array([model.body(name).id for name in (*_WALL_PIECES, *_PLUGS, *_FURNITURE)])
        geoms = model.body_geomadr[bodies]
        size, is_box = model.geom_size[geoms], model.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_BOX
        first = model.body_mocapid[bodies[0]]
        assert (model.body_mocapid[bodies] == first + np.arange(len(bodies))).all()  # a slice is cheaper than a choice
        self._goal, self._pieces = int(model.body("goal").mocapid[0]), slice(first, first + len(bodies))
        self._furniture = slice(first + len(bodies) - NUM_FURNITURE, first + len(bodies))
        self._plugs = slice(self._furniture.start - NUM_PLUGS, self._furniture.start)
        self._parked = model.body_pos[np.flatnonzero(model.body_mocapid >= 0)].copy()
        self._half_heights = np.where(is_box, size[:, 2], size[:, 1])
        self._shapes, self._geoms, self._is_box = footprints(size, is_box), geoms, is_box
        shapes = self._shapes.astype(np.float64)
        reach = shapes[:, :2].copy()
        reach[_OF_PLUGS] = config.door_m / 2  # turned either way
        reach[_OF_FURNITURE] = (np.hypot(shapes[:, 0], shapes[:, 1]) + shapes[:, 2])[_OF_FURNITURE, None]  # any way
        self._reach = (reach.T + _FAR_M).astype(np.float32)
        self._furniture_reach2 = np.square(self._reach[0, _OF_FURNITURE])

    def draw(self, draws: Draws) -> dict[str, Floats]:
        """Draws all that an episode needs, {name: [n, ...]} in [0, 1), in one call: the call is what costs."""
        shapes = {
            "joined": (NUM_WALLS,),
            "walls": (3, NUM_WALLS),
            "start": (4,),
            "goal_room": (NUM_ROOMS,),
            "goal": (2,),
            "count": (1,),
            "chosen": (NUM_FURNITURE,),
            "slot": (_SLOTS,),
            "direction": (NUM_ROOMS,),
            "apart": (NUM_FURNITURE,),
            "turn": (NUM_FURNITURE,),
            "light": (1,),
            "colour": (self._colours.num, 3),
        }
        ends = np.cumsum([np.prod(shape) for shape in shapes.values()])
        parts = np.split(draws.uniform(shape=(int(ends[-1]),)), ends[:-1], axis=1)
        return {name: part.reshape(-1, *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

    def lay_out(self, unit: dict[str, Floats]) -> dict[str, Array]:
        """Returns what episodes begin with, {name: [n, ...]}.

        Beside state and model values by their MuJoCo names that is `goal` [n, 2], and `field` [n, G * G], what
        `Grid.distance` returns.
        """
        states = self._walls(unit)
        start, goal = self._ends(states, unit)
        position, quat = self._placed(states, unit)
        position[:, self._goal, :2] = goal
        position[:, self._goal, 2] = 0.001
        furniture = self.pieces(np, position, quat, self._shapes)[:, -NUM_FURNITURE:]
        field = self.grid.distance(self._clearance.is_free(states, furniture), goal)
        return {
            "qpos": np.concatenate([start, np.pi * (2 * unit["start"][:, 3:] - 1)], axis=1),
            "mocap_pos": position,
            "mocap_quat": quat,
            "goal": goal,
            "field": field.reshape(len(goal), -1),
            **self._colours.draw(unit["colour"], unit["light"]),
        }

    def shapes_in(self, engine: Engine) -> NDArray[np.float32]:
        """Returns half_x, half_y and radius of the pieces, [P, 3], or [N, P, 3] where the worlds' sizes differ."""
        size = engine.own_values("geom_size")
        return self._shapes if size is None else footprints(size[:, self._geoms], self._is_box)

    def pieces(self, xp: Any, position: Array, quat: Array, shapes: NDArray[np.float32]) -> Array:
        """Describes inner walls and furniture of worlds whose mocap bodies are at [N, M, 3], [N, M, 4]: [N, P, 7].

        The columns are `ring_geometry.OBSTACLE_NAMES`; furniture comes last.
        """
        place, turn = position[:, self._pieces], quat[:, self._pieces]
        w, z = turn[..., 0], turn[..., 3]
        pose = columns(xp, place[..., 0], place[..., 1], 1 - 2 * z * z, 2 * w * z)
        return xp.concat([pose, xp.zeros_like(pose[..., :3]) + xp.asarray(shapes, device=pose.device)], axis=-1)

    def is_near(self, xp: Any, pose: Array, position: Array) -> Array:
        """Tells [N] whether robots at poses [N, 3] may touch something, mocap bodies being at [N, M, 3]."""
        dx, dy = (xp.abs(position[:, self._pieces, axis] - pose[:, axis : axis + 1]) for axis in (0, 1))
        reach_x, reach_y = xp.asarray(self._reach, device=position.device)
        is_beside = (dx < reach_x) & (dy < reach_y)
        is_beside[:, _OF_PLUGS] &= xp.minimum(dx[:, _OF_PLUGS], dy[:, _OF_PLUGS]) < WALL_HALF_M + _FAR_M
        x, y = dx[:, _OF_FURNITURE], dy[:, _OF_FURNITURE]
        is_beside[:, _OF_FURNITURE] &= x * x + y * y < xp.asarray(self._furniture_reach2, device=position.device)
        return xp.any(is_beside, axis=1) | (inner_distance(xp, pose[:, 0], pose[:, 1]) < _FAR_M)

    def _walls(self, unit: dict[str, Floats]) -> Ints:
        return house_plan.wall_states(
            house_plan.spanning_tree(unit["joined"]),
            unit["walls"].transpose(1, 0, 2),
            closed_chance=self._config.closed_chance,
            open_chance=self._config.open_chance,
        )

    def _ends(self, states: Ints, unit: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Chooses where episodes start, and their goals, [n, 2] each: as many doors apart as asked for."""
        room = np.floor(unit["start"][:, 0] * NUM_ROOMS).astype(np.int64)
        least, most = self._config.hops
        goal_room = house_plan.choose_room(house_plan.hops(states, room), unit["goal_room"], least=least, most=most)
        start, goal = _on_the_way_round(room, unit["start"][:, 1:3]), _on_the_way_round(goal_room, unit["goal"])
        is_close = np.square(start - goal).sum(axis=1) < _LEAST_M**2
        return np.where(is_close[:, None], 2 * room_centres()[room] - start, start), goal

    def _placed(self, states: Ints, unit: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Puts up walls and furniture, parks what is not needed: positions [n, M, 3] and orientations [n, M, 4]."""
        position = np.repeat(self._parked[None], len(states), axis=0)
        along = along_wall(self._config.door_m)
        walls = placed(np.arange(NUM_WALLS)[:, None], along[states][..., :2]).reshape(len(states), -1, 2)
        shut, is_shut = house_plan.closed_walls(states)
        plugs = placed(shut, np.where(is_shut, along[CLOSED, 2], np.nan))
        furniture = self._furnished(unit)
        there = np.concatenate([walls, plugs, furniture], axis=1)
        height = np.broadcast_to(self._half_heights[:, None], (*there.shape[:2], 1))
        there = np.concatenate([there, height], axis=2)
        position[:, self._pieces] = np.where(np.isnan(there), position[:, self._pieces], there)
        half_yaw = np.zeros(position.shape[:2])
        half_yaw[:, self._plugs] = np.where(RUNS_NORTH, 0.0, np.pi / 4)[shut]
        half_yaw[:, self._furniture] = (np.pi / 2) * unit["turn"]
        nothing = np.zeros_like(half_yaw)
        return position, np.stack([np.cos(half_yaw), nothing, nothing, np.sin(half_yaw)], axis=2)

    def _furnished(self, unit: dict[str, Floats]) -> Floats:
        """Returns where furniture stands, two pieces to a room at most, [n, 12, 2]; NaN is in no room."""
        slot = unit["slot"].argsort(axis=1, kind="stable")[:, :NUM_FURNITURE]
        room, side = slot // 2, 1.0 - 2.0 * (slot % 2)
        direction = 2 * np.pi * np.take_along_axis(unit["direction"], room, axis=1)
        apart = side * (_APART_M[0] + (_APART_M[1] - _APART_M[0]) * unit["apart"])
        fewest, most = self._config.furniture
        rank = unit["chosen"].argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        apart[rank >= fewest + np.floor(unit["count"] * (most + 1 - fewest))] = np.nan
        return room_centres()[room] + np.stack([apart * np.cos(direction), apart * np.sin(direction)], axis=2)


def _on_the_way_round(room: Ints, unit: Floats) -> Floats:
    """Returns points [n, 2] on the way round the furniture of rooms [n], from `unit` [n, 2]."""
    out = _BAND_M[0] + (_BAND_M[1] - _BAND_M[0]) * unit[:, 0]
    side = np.floor(4 * unit[:, 1])
    along = out * (2 * (4 * unit[:, 1] - side) - 1)
    cos, sin = np.round(np.cos(side * (np.pi / 2))), np.round(np.sin(side * (np.pi / 2)))
    return room_centres()[room] + np.stack([cos * out - sin * along, sin * out + cos * along], axis=1)


def _colour_of(geom: str) -> str:
    """Returns what shares a colour with the geom: all walls are alike, every piece of furniture is its own."""
    return geom if geom.startswith("furniture") else geom.partition("_")[0]
