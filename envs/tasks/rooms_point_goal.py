"""A small robot with two wheels drives to a point in a house of nine rooms that it has never seen.

What is measured follows Habitat (Savva et al., 2019): success, SPL, soft SPL, collisions, distance to the goal. As
there, a collision counts and the episode goes on; but friction holds the robot that would slide along a wall.
Where a number of the scene comes from stands in assets/rooms_point_goal/README.md.
"""

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, Obs, Policy
from robossl.envs.engine import Engine
from robossl.envs.mujoco_engine import load_model
from robossl.envs.task import Memory, Outcome
from robossl.envs.tasks.columns import columns
from robossl.envs.tasks.path_metrics import soft_spl, spl
from robossl.envs.tasks.rewards import indicator
from robossl.envs.tasks.ring_geometry import obstacle_distance
from robossl.envs.tasks.rooms_config import LEVELS, RoomsConfig
from robossl.envs.tasks.rooms_expert import PathExpert
from robossl.envs.tasks.rooms_geometry import NUM_PLUGS, NUM_WALLS, ROBOT_RADIUS_M, inner_distance, piece_lengths
from robossl.envs.tasks.rooms_options import (
    BACKWARD_M_S,
    CONTROL_HZ,
    FORWARD_M_S,
    FORWARD_STEP_M_S,
    TURN_STEP_RAD_S,
    YAW_RATE_RAD_S,
    rooms_spec,
)
from robossl.envs.tasks.rooms_scene import RoomsScene
from robossl.envs.tasks.scene_colours import RANDOM_FIELDS

NOMINAL_STEP_M = FORWARD_M_S / CONTROL_HZ
LOOK_AHEAD_M = 0.26
_MIN_DISTANCE_M = 1e-6


class RoomsPointGoal:
    """Implements `Task`. The robot must come to the goal, whose direction and distance it knows."""

    levels: ClassVar[dict[str, RoomsConfig]] = LEVELS

    def __init__(self, config: RoomsConfig | None = None) -> None:
        self.config = config = config or RoomsConfig()
        self.spec = rooms_spec(
            success_radius_m=config.success_radius_m,
            max_episode_steps=config.max_episode_steps,
            reward_weights={
                "progress": config.weight_progress,
                "collision": config.weight_collision,
                "success": config.weight_success,
            },
            random_fields=RANDOM_FIELDS if config.is_recoloured else (),
        )

    def build_model(self) -> Any:
        """Compiles assets/rooms_point_goal/rooms_point_goal.xml, with doorways and goal as wide as they are to be."""
        return load_model(Path(str(files("robossl.assets") / "rooms_point_goal" / "rooms_point_goal.xml")), self._adapt)

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns the shortest paths to the goal, where it and the robot are, path lengths, contacts and commands."""
        names = ("shortest_m", "left_m", "driven_m", "collisions", "forward_m_s", "turn_rad_s")
        return {
            "field": np.zeros((num_worlds, self._scene.grid.size**2), np.float32),
            "goal_w": np.zeros((num_worlds, 2), np.float32),
            "position_w": np.zeros((num_worlds, 2), np.float32),
            **{name: np.zeros(num_worlds, np.float32) for name in names},
        }

    def reset(self, engine: Engine, ids: NDArray[np.int64], draws: Draws, memory: Memory) -> None:
        """Puts up walls and furniture, and sets the robot down at rest."""
        start = draws.apply(self._layout)
        memory["field"][ids], memory["goal_w"][ids] = start["field"], start["goal"]
        memory["position_w"][ids] = start["qpos"][:, :2]
        memory["shortest_m"][ids] = memory["left_m"][ids] = start["shortest_m"]
        for name in ("driven_m", "collisions", "forward_m_s", "turn_rad_s"):
            memory[name][ids] = 0
        for name in ("qpos", "mocap_pos", "mocap_quat"):
            engine.write(name, start[name], ids)
        for name in self.spec.random_fields:
            engine.randomise(name, start[name], ids)

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """Maps actions to forward speed, none sideways (wheels roll), and yaw rate; both change gradually."""
        xp = engine.xp
        forward, turn = memory["forward_m_s"], memory["turn_rad_s"]
        wanted = xp.clip(action[:, 0] * FORWARD_M_S, -BACKWARD_M_S, FORWARD_M_S)
        forward += xp.clip(wanted - forward, -FORWARD_STEP_M_S, FORWARD_STEP_M_S)
        turn += xp.clip(action[:, 1] * YAW_RATE_RAD_S - turn, -TURN_STEP_RAD_S, TURN_STEP_RAD_S)
        return columns(xp, forward, xp.zeros_like(forward), turn)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """Judges a decision by what is left of the shortest path, and by whether any substep touched anything."""
        xp = engine.xp
        pose = engine.read("qpos")
        moved = pose[:, :2] - memory["position_w"]
        memory["position_w"][...] = pose[:, :2]
        memory["driven_m"] += xp.sqrt(moved[:, 0] ** 2 + moved[:, 1] ** 2)
        left = self._scene.grid.read(xp, memory["field"], pose[:, 0], pose[:, 1])
        progress = memory["left_m"] - left
        memory["left_m"][...] = left
        collided = self._collided(engine, pose, recorded["sensordata"][:, 1:, 0])
        collision = indicator(xp, collided)
        memory["collisions"] += collision
        success = self._goal_distance(xp, pose, memory)[0] < self.config.success_radius_m
        return Outcome(
            terms={
                "progress": xp.clip(progress / NOMINAL_STEP_M, -1.0, 1.0),
                "collision": collision,
                "success": indicator(xp, success),
            },
            terminated=success | collided if self.config.ends_at_collision else success,
            success=success,
            metrics=self._metrics(xp, success, memory),
        )

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """Returns `goal` [N, 3], distance and direction from the robot, and `proprio` [N, 2], speed and yaw rate."""
        xp = engine.xp
        pose, velocity = engine.read("qpos"), engine.read("qvel")
        cos, sin = xp.cos(pose[:, 2]), xp.sin(pose[:, 2])
        distance, dx, dy = self._goal_distance(xp, pose, memory)
        scale = 1 / xp.clip(distance, _MIN_DISTANCE_M, None)
        forward = cos * velocity[:, 0] + sin * velocity[:, 1]
        return {
            "goal": columns(xp, distance, scale * (cos * dx + sin * dy), scale * (cos * dy - sin * dx)),
            "proprio": columns(xp, forward, velocity[:, 2]),
        }

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """Returns pose and goal, the length of the shortest path and a point on it, and the room around the robot."""
        xp = engine.xp
        pose, field = engine.read("qpos"), memory["field"]
        x, y = self._scene.grid.lead(xp, field, pose[:, 0], pose[:, 1], reach_m=LOOK_AHEAD_M)
        is_close = self._goal_distance(xp, pose, memory)[0] < LOOK_AHEAD_M
        way = xp.where(is_close[:, None], memory["goal_w"], columns(xp, x, y))
        return {
            "pose": pose,
            "goal_position": columns(xp, memory["goal_w"][:, 0], memory["goal_w"][:, 1]),
            "way": xp.astype(way, xp.float32),
            "geodesic": columns(xp, memory["left_m"]),
            "gap": self._gap(engine, pose)[:, None],
        }

    def expert(self) -> Policy:
        """Returns the follower of shortest paths."""
        return PathExpert(period_s=1 / CONTROL_HZ, yaw_rate_rad_s=YAW_RATE_RAD_S, step_rad_s=TURN_STEP_RAD_S)

    def _metrics(self, xp: Any, success: Array, memory: Memory) -> dict[str, Array]:
        shortest, left, driven = memory["shortest_m"], memory["left_m"], memory["driven_m"]
        return {
            "spl": spl(xp, success, shortest, driven),
            "soft_spl": soft_spl(xp, left, shortest, driven),
            "collisions": memory["collisions"],
            "distance_to_goal": left,
            "path_length": driven,
        }

    def _goal_distance(self, xp: Any, pose: Array, memory: Memory) -> tuple[Array, Array, Array]:
        """Returns the straight distance to the goal and its x and y, [N] each."""
        dx, dy = memory["goal_w"][:, 0] - pose[:, 0], memory["goal_w"][:, 1] - pose[:, 1]
        return xp.sqrt(dx * dx + dy * dy), dx, dy

    def _collided(self, engine: Engine, pose: Array, found: Array) -> Array:
        """Tells [N] whether a robot touched something between substeps, `found` [N, 4], or touches something now.

        The engine is asked about now only where something is near: few worlds, and the rest cost a substep more.
        """
        xp = engine.xp
        collided = xp.any(found, axis=1)
        near = xp.nonzero(~collided & self._scene.is_near(xp, pose, engine.read("mocap_pos")))[0]
        if len(near):
            collided[near] = engine.read("sensordata", near)[:, 0] > 0
        return collided

    def _gap(self, engine: Engine, pose: Array) -> Array:
        """Returns the distance [N] from the robot's side to the nearest wall or piece of furniture."""
        xp = engine.xp
        shapes = self._scene.shapes_in(engine)
        pieces = self._scene.pieces(xp, engine.read("mocap_pos"), engine.read("mocap_quat"), shapes)
        inner = xp.min(obstacle_distance(xp, pose[:, 0:1], pose[:, 1:2], pieces), axis=1)
        return xp.minimum(inner, inner_distance(xp, pose[:, 0], pose[:, 1])) - ROBOT_RADIUS_M

    def _layout(self, draws: Draws) -> dict[str, Array]:
        start = self._scene.lay_out(self._scene.draw(draws))
        pose = start["qpos"]
        shortest = self._scene.grid.read(np, start["field"], pose[:, 0], pose[:, 1])
        return {**start, "shortest_m": shortest}

    def _adapt(self, spec: Any) -> None:
        """Gives doorways and goal their sizes."""
        short, long = (length / 2 for length in piece_lengths(self.config.door_m))
        along = {"short": short, "long": long}
        for wall in range(NUM_WALLS):
            for piece, half in along.items():
                spec.geom(f"wall_{wall:02d}_{piece}").size[1 if wall < NUM_WALLS // 2 else 0] = half
        for plug in range(NUM_PLUGS):
            spec.geom(f"wall_plug_{plug}").size[1] = self.config.door_m / 2
        spec.geom("goal").size[0] = self.config.success_radius_m

    @cached_property
    def _scene(self) -> RoomsScene:
        return RoomsScene(self.build_model(), self.config)
