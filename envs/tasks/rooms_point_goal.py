"""A small robot with two wheels drives to a point in a house of nine rooms that it has never seen.

What is measured follows Habitat (Savva et al., 2019): success, SPL, soft SPL, collisions, distance to the goal. As
there, a collision counts and the episode goes on; but friction holds the robot that would slide along a wall.
Where a number of the scene comes from stands in assets/rooms_point_goal/README.md.
"""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from robossl.core import Array, Draws, Obs, Policy
from robossl.envs.compiled import fused
from robossl.envs.engine import Engine
from robossl.envs.mujoco_model import load_model, scene_file
from robossl.envs.task import Memory, Outcome
from robossl.envs.tasks.columns import columns
from robossl.envs.tasks.house_plan import NUM_PLUGS, NUM_WALLS
from robossl.envs.tasks.path_progress import advance
from robossl.envs.tasks.ring_geometry import obstacle_distance
from robossl.envs.tasks.rooms_config import LEVELS, RoomsConfig
from robossl.envs.tasks.rooms_expert import PathExpert
from robossl.envs.tasks.rooms_geometry import INNER_M, ROBOT_RADIUS_M, inner_distance, piece_lengths
from robossl.envs.tasks.rooms_options import (
    BACKWARD_M_S,
    CONTROL_HZ,
    FORWARD_M_S,
    FORWARD_STEP_M_S,
    LOOK_AHEAD_M,
    TURN_STEP_RAD_S,
    YAW_RATE_RAD_S,
    rooms_spec,
)
from robossl.envs.tasks.rooms_scene import RoomsScene
from robossl.envs.tasks.rooms_touch import touches
from robossl.envs.tasks.scene_colours import RANDOM_FIELDS

NOMINAL_STEP_M = FORWARD_M_S / CONTROL_HZ
_LIMITS = (FORWARD_M_S, BACKWARD_M_S, FORWARD_STEP_M_S, YAW_RATE_RAD_S, TURN_STEP_RAD_S)
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
            ends_at_collision=config.ends_at_collision,
        )

    def build_model(self) -> Any:
        """Compiles assets/rooms_point_goal/rooms_point_goal.xml, with doorways and goal as wide as they are to be."""
        return load_model(scene_file("rooms_point_goal", "rooms_point_goal.xml"), self._adapt)

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns shortest paths, where goal, pieces and robot are, path lengths, contacts and commands."""
        names = ("shortest_m", "left_m", "driven_m", "collisions", "forward_m_s", "turn_rad_s")
        return {
            "field": np.zeros((num_worlds, self._scene.grid.size**2), np.float32),
            "pieces": np.zeros((num_worlds, *self._scene.pieces_shape), np.float32),
            "goal_w": np.zeros((num_worlds, 2), np.float32),
            "position_w": np.zeros((num_worlds, 2), np.float32),
            **{name: np.zeros(num_worlds, np.float32) for name in names},
        }

    def layout(self, draws: Draws) -> dict[str, Array]:
        """Puts up walls and furniture, and sets the robot down at rest."""
        unit = self._scene.draw(draws)
        start = self._scene.lay_out(unit)
        position_w = start["qpos"][:, :2]
        shortest_m = self._scene.grid.read(np, start["field"], *position_w.T)
        start |= {"position_w": position_w, "shortest_m": shortest_m, "left_m": shortest_m}
        return start | self._scene.looks.draw(unit["colour"], unit["light"]) if self.config.is_recoloured else start

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """Maps actions to forward speed, none sideways (wheels roll), and yaw rate; both change gradually."""
        speeds = memory["forward_m_s"], memory["turn_rad_s"]
        return _drive(engine.xp, action, *speeds, *_LIMITS)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """Judges a decision by what is left of the shortest path, and by whether any substep touched anything."""
        xp = engine.xp
        pose = engine.read("qpos")
        collision = self._collision(engine, pose, recorded["sensordata"][:, 1:, 0], memory["pieces"])
        memory["collisions"] += collision
        names = ("goal_w", "position_w", "shortest_m", "left_m", "driven_m")
        progress, success, spl, soft_spl = advance(
            xp,
            self._scene.grid.measures,
            self.config.success_radius_m,
            NOMINAL_STEP_M,
            memory["field"],
            xp.arange(len(pose), device=pose.device),
            pose,
            *(memory[name] for name in names),
        )
        return Outcome(
            terms={
                "progress": progress,
                "collision": collision,
                "success": xp.astype(success, xp.float32),
            },
            terminated=success | (collision > 0) if self.config.ends_at_collision else success,
            success=success,
            metrics={
                "spl": spl,
                "soft_spl": soft_spl,
                "collisions": memory["collisions"],
                "distance_to_goal": memory["left_m"],
                "path_length": memory["driven_m"],
            },
        )

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """Returns `goal` [N, 3], distance and direction from the robot, and `proprio` [N, 2], speed and yaw rate."""
        goal, proprio = _seen(engine.xp, engine.read("qpos"), engine.read("qvel"), memory["goal_w"])
        return {"goal": goal, "proprio": proprio}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """Returns pose and goal, the length of the shortest path and a point on it, and the room around the robot."""
        xp = engine.xp
        pose, field = engine.read("qpos"), memory["field"]
        x, y = self._scene.grid.lead(xp, field, pose[:, 0], pose[:, 1], reach_m=LOOK_AHEAD_M)
        dx, dy = memory["goal_w"][:, 0] - pose[:, 0], memory["goal_w"][:, 1] - pose[:, 1]
        is_close = dx * dx + dy * dy < LOOK_AHEAD_M**2
        way = xp.where(is_close[:, None], memory["goal_w"], columns(xp, x, y))
        return {
            "pose": pose,
            "goal_position": columns(xp, memory["goal_w"][:, 0], memory["goal_w"][:, 1]),
            "way": xp.astype(way, xp.float32),
            "geodesic": columns(xp, memory["left_m"]),
            "gap": self._gap(engine, pose, memory["pieces"])[:, None],
        }

    def expert(self) -> Policy:
        """Returns the follower of shortest paths."""
        return PathExpert(period_s=1 / CONTROL_HZ, yaw_rate_rad_s=YAW_RATE_RAD_S, step_rad_s=TURN_STEP_RAD_S)

    def _collision(self, engine: Engine, pose: Array, found: Array, pieces: Array) -> Array:
        """Returns 1 where [N] a robot touched something between substeps, `found` [N, 4], or touches something now.

        The engine is asked about now only where something is near: few worlds, and the rest cost a substep more. One
        with torch computes all worlds at once.
        """
        xp = engine.xp
        if xp is not np:
            return xp.astype(xp.any(found, axis=1) | (engine.read("sensordata")[:, 0] > 0), xp.float32)
        shapes, slack_m = self._scene.shapes, engine.contact_slack_m
        collision, is_near = touches(found, pose, pieces, shapes, ROBOT_RADIUS_M, INNER_M, slack_m)
        near = is_near.nonzero()[0]
        if len(near):
            collision[near] = engine.read("sensordata", near)[:, 0] > 0
        return collision

    def _gap(self, engine: Engine, pose: Array, pieces: Array) -> Array:
        """Returns the distance [N] from the robot's side to the nearest wall or piece of furniture."""
        xp = engine.xp
        place = xp.permute_dims(pieces, (0, 2, 1))
        shapes = xp.zeros_like(place[..., :3]) + xp.asarray(self._scene.shapes_in(engine), device=place.device)
        obstacles = xp.concat([place, shapes], axis=-1)
        inner = xp.min(obstacle_distance(xp, pose[:, 0:1], pose[:, 1:2], obstacles), axis=1)
        return xp.minimum(inner, inner_distance(xp, pose[:, 0], pose[:, 1])) - ROBOT_RADIUS_M

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


@fused
def _drive(
    xp: Any,
    action: Array,
    forward: Array,
    turn: Array,
    forward_m_s: float,
    backward_m_s: float,
    forward_step_m_s: float,
    yaw_rate_rad_s: float,
    turn_step_rad_s: float,
) -> Array:
    """Changes the set-points [N] of both speeds; returns controls [N, 3]."""
    wanted = xp.clip(action[:, 0] * forward_m_s, -backward_m_s, forward_m_s)
    forward[...] = forward + xp.clip(wanted - forward, -forward_step_m_s, forward_step_m_s)
    turn[...] = turn + xp.clip(action[:, 1] * yaw_rate_rad_s - turn, -turn_step_rad_s, turn_step_rad_s)
    return xp.stack((forward, xp.zeros_like(forward), turn), axis=1)


@fused
def _seen(xp: Any, pose: Array, velocity: Array, goal: Array) -> tuple[Array, Array]:
    """Returns distance and direction of the goal [N, 3], and speed and yaw rate [N, 2]."""
    cos, sin = xp.cos(pose[:, 2]), xp.sin(pose[:, 2])
    dx, dy = goal[:, 0] - pose[:, 0], goal[:, 1] - pose[:, 1]
    distance = xp.sqrt(dx * dx + dy * dy)
    far = xp.clip(distance, _MIN_DISTANCE_M, None)
    forward = cos * velocity[:, 0] + sin * velocity[:, 1]
    to_goal = xp.stack((distance, (cos * dx + sin * dy) / far, (cos * dy - sin * dx) / far), axis=1)
    return to_goal, xp.stack((forward, velocity[:, 2]), axis=1)
