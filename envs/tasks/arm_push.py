"""A Panda pushes a block to a goal on a table, by small motions of its tool."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CameraSpec, CommandSpec, Draws, Obs, Policy, SetpointSpec, UserError
from robossl.envs.engine import Engine
from robossl.envs.mujoco_engine import load_model
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks.panda import NUM_JOINTS, TOOL_DOWN, IKConfig, joint_targets, rotation_error
from robossl.envs.tasks.push_expert import PushExpert
from robossl.envs.tasks.rewards import tolerance

CONTROL_HZ = 12.5
NUM_SUBSTEPS = 16
MAX_LEAD_STEPS = 2
"""How many steps the commanded tool position may be ahead of the tool."""
TOOL_W_M = (np.array([0.35, -0.24, 0.01], np.float32), np.array([0.75, 0.24, 0.12], np.float32))
"""Corners of the box that the commanded tool position is kept in."""
REGION_W_M = (np.array([0.46, -0.13]), np.array([0.64, 0.13]))
"""Where blocks and goals are put: everywhere around it the tool still reaches."""
BLOCK_HALF_M = 0.024
CONTACT_M = BLOCK_HALF_M + 0.015
"""From the block's centre to the axis of a tool that touches its side."""
GOAL_HEIGHT_W_M = 0.001
FALLEN_BELOW_W_M = -0.05
NUM_GOAL_CANDIDATES = 8
START_NOISE_RAD = 0.02

BLOCK_MASS_KG = (0.05, 0.20)
BLOCK_FRICTION = (0.3, 0.7)
BLOCK_RGB = (np.array([0.75, 0.20, 0.05]), np.array([1.0, 0.70, 0.35]))
TABLE_GREY = (0.30, 0.65)
RANDOM_FIELDS = ("body_mass", "geom_friction", "geom_rgba")

_DRAWS = (NUM_JOINTS, 1, 2, 2 * NUM_GOAL_CANDIDATES, 6)
_HORIZONTAL = np.array([1.0, 1.0, 0.0], np.float32)
_NUM_DRAWS = sum(_DRAWS)

_TOOL = ("tool_x_w_m", "tool_y_w_m", "tool_z_w_m")
_BLOCK = ("block_x_w_m", "block_y_w_m", "block_z_w_m")
_BLOCK_VELOCITY = ("block_vx_w_m_s", "block_vy_w_m_s", "block_vz_w_m_s")
_HEADING = ("block_sin_yaw", "block_cos_yaw")
_GOAL = ("goal_x_w_m", "goal_y_w_m")
_JOINTS = tuple(f"joint{i}_{unit}" for unit in ("rad", "rad_s") for i in range(1, NUM_JOINTS + 1))
_VECTORS = {
    "proprio": (*_JOINTS, *_TOOL),
    "object": (*_BLOCK, *_BLOCK_VELOCITY, *_HEADING, "tool_to_block_x_m", "tool_to_block_y_m", "tool_to_block_z_m"),
    "goal": (*_GOAL, "block_to_goal_x_m", "block_to_goal_y_m"),
}
_PRIVILEGED = {
    "tool_position": _TOOL,
    "block_position": _BLOCK,
    "block_velocity": _BLOCK_VELOCITY,
    "block_heading": _HEADING,
    "goal_position": _GOAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPushConfig:
    """Says how hard the task is and what its reward weighs.

    Attributes:
        step_m: the farthest the commanded tool position moves per decision along each axis.
        success_radius_m: the block counts as at the goal when its centre is this near, on the table's plane.
            The disc that is drawn has the default's size.
        min_push_m: the least distance between block and goal at the start.
        max_episode_steps: decisions.
        weight_reach: of the tool being where it can push the block towards the goal.
        weight_push: of the block being near the goal.
        weight_at_goal: of the block counting as there.
        weight_effort: of the mean square of the action.
    """

    step_m: float = 0.04
    success_radius_m: float = 0.05
    min_push_m: float = 0.10
    max_episode_steps: int = 60
    weight_reach: float = 0.25
    weight_push: float = 0.5
    weight_at_goal: float = 0.5
    weight_effort: float = -0.05

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("step_m", "success_radius_m", "min_push_m", "max_episode_steps"):
            if getattr(self, name) <= 0:
                raise UserError(f"ArmPush: {name} must be positive, got {getattr(self, name)}")
        farthest = float(np.linalg.norm(REGION_W_M[1] - REGION_W_M[0])) / 2
        if not self.success_radius_m < self.min_push_m <= farthest:
            raise UserError(
                f"ArmPush: min_push_m must be above success_radius_m ({self.success_radius_m}) and at most"
                f" {farthest:.3f}, got {self.min_push_m}"
            )


class ArmPush:
    """See `Task`. The tool keeps pointing down; an action moves its commanded position.

    Rewards and observations use the engine's `xp`; memory and inverse kinematics are in numpy on the host.
    """

    def __init__(self, config: ArmPushConfig | None = None) -> None:
        self.config = config or ArmPushConfig()
        self.spec = _spec(self.config)
        self._ik = IKConfig()
        self._tool = self._hand = self._block = self._goal_mocap = -1
        self._block_geom = self._table_geom = -1

    def build_model(self) -> Any:
        """See `Task.build_model`."""
        model = load_model(Path(str(files("robossl.assets") / "arm_push" / "arm_push.xml")))
        self._tool, self._hand = model.site("tool").id, model.body("hand").id
        self._block, self._goal_mocap = model.body("block").id, model.body("goal").mocapid[0]
        self._block_geom, self._table_geom = model.geom("block_box").id, model.geom("table_top").id
        return model

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Task.new_memory`."""
        zeros = np.zeros(num_worlds, np.float32)
        return {
            "tool_target_w": np.zeros((num_worlds, 3), np.float32),
            "reached": np.zeros(num_worlds, bool),
            "start_distance_m": zeros,
            "min_distance_m": zeros.copy(),
        }

    def reset(self, engine: Engine, ids: NDArray[np.int64], draws: Draws, memory: Memory) -> None:
        """See `Task.reset`."""
        unit = draws.uniform(shape=(_NUM_DRAWS,))  # one call: it is what costs
        arm, yaw, block, goals, looks = np.split(unit, np.cumsum(_DRAWS)[:-1], axis=1)
        block = _between(REGION_W_M, block)
        goals = _between(REGION_W_M, goals.reshape(len(ids), NUM_GOAL_CANDIDATES, 2))
        goal_w = np.full((len(ids), 3), GOAL_HEIGHT_W_M)
        goal_w[:, :2] = _goal(block, goals, self.config.min_push_m)
        half_yaw = (yaw[:, 0] - 0.5) * np.pi / 4  # the block looks the same after a quarter turn
        qpos = np.zeros((len(ids), NUM_JOINTS + 7))
        qpos[:, :NUM_JOINTS] = self._ik.posture_rad + START_NOISE_RAD * (2 * arm - 1)
        qpos[:, 7:9], qpos[:, 9] = block, BLOCK_HALF_M
        qpos[:, 10], qpos[:, 13] = np.cos(half_yaw), np.sin(half_yaw)
        engine.write("qpos", qpos, ids)
        engine.write("mocap_pos", goal_w[:, None], ids)
        self._randomise(engine, ids, looks)
        engine.forward(ids)
        tool_w, block_w, goal_w = self._positions(engine)
        distance = _planar_norm(engine.xp, goal_w[ids] - block_w[ids])
        memory["tool_target_w"][ids] = tool_w[ids]
        memory["reached"][ids] = False
        memory["start_distance_m"][ids] = memory["min_distance_m"][ids] = distance

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """See `Task.control`: actions are tool motions, controls are joint position targets in rad."""
        num_worlds = engine.num_worlds
        tool_w = engine.read("site_xpos")[:, self._tool]
        target_w = memory["tool_target_w"] + self.config.step_m * action
        target_w = tool_w + (target_w - tool_w).clip(
            -MAX_LEAD_STEPS * self.config.step_m, MAX_LEAD_STEPS * self.config.step_m
        )
        memory["tool_target_w"][...] = target_w = target_w.clip(*TOOL_W_M)
        rotation = engine.read("site_xmat")[:, self._tool].reshape(num_worlds, 3, 3)
        error = np.concatenate([target_w - tool_w, rotation_error(rotation, TOOL_DOWN)], axis=-1)
        jacobian = np.concatenate(engine.jac(self._hand, tool_w), axis=1)[..., :NUM_JOINTS]
        joint_pos = engine.read("qpos")[:, :NUM_JOINTS]
        return joint_targets(joint_pos, jacobian, error, period_s=1 / CONTROL_HZ, config=self._ik)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        xp, (tool_w, block_w, goal_w) = engine.xp, self._positions(engine)
        to_goal = goal_w - block_w
        distance = _planar_norm(xp, to_goal)
        to_contact = block_w - tool_w - to_goal * (CONTACT_M / (distance + 1e-6))[:, None] * _HORIZONTAL
        inside = distance < self.config.success_radius_m
        memory["reached"] |= inside
        memory["min_distance_m"][...] = xp.minimum(memory["min_distance_m"], distance)
        terms = {
            "reach": tolerance(_norm(xp, to_contact), high=0.01, margin=0.20),
            "push": tolerance(distance, high=0.02, margin=0.30),
            "at_goal": xp.where(inside, xp.ones_like(distance), xp.zeros_like(distance)),
            "effort": (action * action).mean(axis=-1),
        }
        metrics = {
            "distance": distance,
            "min_distance": memory["min_distance_m"].copy(),
            "pushed": memory["start_distance_m"] - distance,
        }
        fallen = block_w[:, 2] < FALLEN_BELOW_W_M
        return Outcome(terms, fallen, memory["reached"].copy(), metrics)

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""
        xp, (tool_w, block_w, goal_w) = engine.xp, self._positions(engine)
        qpos, qvel = engine.read("qpos"), engine.read("qvel")
        block_velocity = qvel[:, NUM_JOINTS : NUM_JOINTS + 3]
        to_goal = goal_w[:, :2] - block_w[:, :2]
        return {
            "proprio": xp.concat([qpos[:, :NUM_JOINTS], qvel[:, :NUM_JOINTS], tool_w], axis=-1),
            "object": xp.concat([block_w, block_velocity, _heading(xp, qpos[:, 10:14]), block_w - tool_w], axis=-1),
            "goal": xp.concat([goal_w[:, :2], to_goal], axis=-1),
        }

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""
        tool_w, block_w, goal_w = self._positions(engine)
        qpos, qvel = engine.read("qpos"), engine.read("qvel")
        return {
            "tool_position": tool_w,
            "block_position": block_w,
            "block_velocity": qvel[:, NUM_JOINTS : NUM_JOINTS + 3],
            "block_heading": _heading(engine.xp, qpos[:, 10:14]),
            "goal_position": goal_w[:, :2],
        }

    def expert(self) -> Policy | None:
        """See `Task.expert`."""
        return PushExpert(step_m=self.config.step_m)

    def _positions(self, engine: Engine) -> tuple[Array, Array, Array]:
        tool_w = engine.read("site_xpos")[:, self._tool]
        return tool_w, engine.read("qpos")[:, 7:10], engine.read("mocap_pos")[:, self._goal_mocap]

    def _randomise(self, engine: Engine, ids: NDArray[np.int64], unit: NDArray[np.float64]) -> None:
        """Gives the worlds their own block (mass, friction, colour) and table colour from `unit` [n, 6]."""
        model = engine.model
        mass, friction, rgba = (_rows(getattr(model, field), ids) for field in RANDOM_FIELDS)
        mass[:, self._block] = _between(BLOCK_MASS_KG, unit[:, 0])
        friction[:, self._block_geom, 0] = _between(BLOCK_FRICTION, unit[:, 1])
        rgba[:, self._block_geom, :3] = _between(BLOCK_RGB, unit[:, 2:5])
        rgba[:, self._table_geom, :3] = _between(TABLE_GREY, unit[:, 5:])
        for field, value in zip(RANDOM_FIELDS, (mass, friction, rgba), strict=True):
            engine.randomise(field, value, ids)


def _spec(config: ArmPushConfig) -> TaskSpec:
    return TaskSpec(
        control_hz=CONTROL_HZ,
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=config.max_episode_steps,
        action=ArraySpec(shape=(3,), low=-1, high=1, names=("tool_dx", "tool_dy", "tool_dz")),
        commands=tuple(_command(axis, config.step_m) for axis in range(3)),
        vectors={key: _vector(names) for key, names in _VECTORS.items()},
        cameras=tuple(CameraSpec(name=name, width=64, height=64) for name in ("static", "wrist", "viewer")),
        default_observation=("proprio", "object", "goal"),
        privileged={key: _vector(names) for key, names in _PRIVILEGED.items()},
        reward_weights={
            "reach": config.weight_reach,
            "push": config.weight_push,
            "at_goal": config.weight_at_goal,
            "effort": config.weight_effort,
        },
        metrics=("distance", "min_distance", "pushed"),
        viewer_camera="viewer",
        random_fields=RANDOM_FIELDS,
        description="A seven-joint arm pushes a block to a goal on a table.",
        success=f"the block's centre came within {config.success_radius_m} m of the goal at the end of any decision",
    )


def _goal(block: NDArray[np.float64], candidates: NDArray[np.float64], least_m: float) -> NDArray[np.float64]:
    """Returns the first of [n, K, 2] candidates that is `least_m` from the block [n, 2], else the farthest corner."""
    low, high = REGION_W_M
    corner = np.where(block > (low + high) / 2, low, high)
    goals = np.concatenate([candidates, corner[:, None]], axis=1)
    is_far = _planar_norm(np, goals - block[:, None]) >= least_m
    return np.asarray(goals[np.arange(len(goals)), is_far.argmax(axis=1)])


def _heading(xp: Any, quaternion: Array) -> Array:
    """Returns sin and cos [N, 2] of the yaw of unit quaternions [N, 4], scaled down where they tilt."""
    w, x, y, z = (quaternion[:, i] for i in range(4))
    return xp.stack([2 * (w * z + x * y), 1 - 2 * (y * y + z * z)], axis=-1)


def _norm(xp: Any, vector: Array) -> Array:
    return xp.sqrt(vector[..., 0] ** 2 + vector[..., 1] ** 2 + vector[..., 2] ** 2)


def _planar_norm(xp: Any, vector: Array) -> Array:
    return xp.sqrt(vector[..., 0] ** 2 + vector[..., 1] ** 2)


def _between(bounds: tuple[Any, Any], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(bounds[0] + (bounds[1] - bounds[0]) * unit)


def _rows(field: Array, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.repeat(np.asarray(field, np.float64)[None], len(ids), axis=0)


def _command(axis: int, step_m: float) -> CommandSpec:
    """Says what an action does to the commanded tool position along one axis of the world."""
    low, high = (float(corner[axis]) for corner in TOOL_W_M)
    moves = SetpointSpec(name=_TOOL[axis], low=low, high=high, max_lead=MAX_LEAD_STEPS * step_m)
    name = f"tool_d{'xyz'[axis]}_w_m"
    return CommandSpec(
        name=name, unit="m", source=axis, scale=step_m, offset=0.0, low=-step_m, high=step_m, moves=moves
    )


def _vector(names: tuple[str, ...]) -> ArraySpec:
    joints = tuple(name.partition("_")[0] if name in _JOINTS else "" for name in names)
    return ArraySpec(
        shape=(len(names),), names=names, units=tuple(map(_unit, names)), joints=joints if any(joints) else ()
    )


def _unit(name: str) -> str:
    """Returns the unit that a name ends in."""
    units = {"_rad_s": "rad/s", "_m_s": "m/s", "_rad": "rad", "_m": "m"}
    return next((unit for ending, unit in units.items() if name.endswith(ending)), "1")
