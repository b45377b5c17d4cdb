"""The arm as a task has it: where it starts, what an action does with it, what it feels of itself.

An action moves the commanded position of the tool, which keeps pointing down, and with a gripper also says how far the
fingers are to open.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CommandSpec, MotionSpec, SetpointSpec, UserError
from robossl.core.inverse_kinematics import damped_targets, pose_error
from robossl.envs.compiled import fused
from robossl.envs.engine import Engine
from robossl.envs.host import Constants
from robossl.envs.motion import LedJoints, MotionConfig
from robossl.envs.task import Memory
from robossl.envs.tasks.arm_kinematics import steer
from robossl.envs.tasks.columns import joined
from robossl.envs.tasks.panda import (
    FINGER_OPEN_M,
    NUM_FINGERS,
    NUM_JOINTS,
    POSITION_MAX_RAD,
    POSITION_MIN_RAD,
    TOOL_DOWN,
    VELOCITY_MAX_RAD_S,
    IKConfig,
    tool_jacobian,
    tuning,
)
from robossl.envs.tasks.units import vector

TOOL_NAMES = ("tool_x_w_m", "tool_y_w_m", "tool_z_w_m")
MAX_LEAD_STEPS = 2
"""How many steps the commanded tool position may be ahead of the tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmConfig:
    """Says how the arm is driven.

    Attributes:
        step_m: the farthest the commanded tool position moves per decision along each axis.
        low_w_m, high_w_m: corners of the box that the commanded tool position is kept in.
        control_hz: decisions per second.
        start_noise_rad: how far each joint may start from the posture.
        has_gripper: the fingers are joints, driven by one more action; else nothing of the hand moves.
        ik: its posture is the one that episodes start from.
    """

    step_m: float
    low_w_m: tuple[float, float, float]
    high_w_m: tuple[float, float, float]
    control_hz: float = 25.0
    start_noise_rad: float = 0.02
    has_gripper: bool = False
    ik: IKConfig = field(default_factory=IKConfig)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.step_m <= 0:
            raise UserError(f"the arm's step_m must be positive, got {self.step_m}")


class PandaArm:
    """Drives the arms of N worlds.

    Attributes:
        num_joints: of arm and fingers: the model's first joints.
        action: what an action holds.
        commands: what it stands for.
        proprio: what `feel` returns.
        motion: how joints are led to their targets; None where they jump.
    """

    motion: MotionSpec | None = None

    def __init__(self, config: ArmConfig) -> None:
        self.config = config
        fingers = range(1, 1 + NUM_FINGERS * config.has_gripper)
        joints = [f"joint{i}_rad" for i in range(1, NUM_JOINTS + 1)] + [f"finger{i}_m" for i in fingers]
        self.num_joints = len(joints)
        self.proprio = replace(
            vector((*joints, *(f"{name}_s" for name in joints), *TOOL_NAMES)),
            joints=(*(name.partition("_")[0] for name in 2 * joints), "", "", ""),
        )
        names = ("tool_dx", "tool_dy", "tool_dz") + ("grip",) * config.has_gripper
        self.action = ArraySpec(shape=(len(names),), low=-1, high=1, names=names)
        self.commands = (*(_move(axis, config) for axis in range(3)), *(_GRIP,) * config.has_gripper)
        self._box_w_m = Constants(np.array(config.low_w_m, np.float32), np.array(config.high_w_m, np.float32))
        self._tuning = tuning(1 / config.control_hz, config.ik)
        self._wanted = Constants(TOOL_DOWN, *self._tuning)
        self._tool = -1
        self._led: LedJoints | None = None

    def lead(self, motion: MotionConfig) -> None:
        """Leads the joints to their targets, from now on.

        Raises:
            UserError: if the numbers are not of this arm.
        """
        self._led = LedJoints(
            [f"joint{i}" for i in range(1, NUM_JOINTS + 1)],
            low=POSITION_MIN_RAD,
            high=POSITION_MAX_RAD,
            velocity=VELOCITY_MAX_RAD_S,
            config=motion,
            period_s=1 / self.config.control_hz,
        )
        self.motion = self._led.spec

    def bind(self, model: Any) -> None:
        """Looks its parts up in a compiled model."""
        self._tool = model.site("tool").id

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns memory for N worlds."""
        led = self._led.new_memory(num_worlds) if self._led else {}
        target_w = np.zeros((num_worlds, 3), np.float32)
        return {"tool_target_w": target_w, "has_target": np.zeros(num_worlds, bool), **led}

    def start(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns joint positions [n, J] to start from; `unit` [n, 7] says how far each is from the posture."""
        joints = np.full((len(unit), self.num_joints), FINGER_OPEN_M)
        joints[:, :NUM_JOINTS] = self.config.ik.posture_rad + self.config.start_noise_rad * (2 * unit - 1)
        return joints

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """Maps actions [N, 3 or 4] to position targets [N, J] of the joints, rad, and fingers, m."""
        xp, config, tool_w = engine.xp, self.config, self.tool_view(engine)
        low_w, high_w = self._box_w_m.on(engine)
        target_w = memory["tool_target_w"]
        _move_target(xp, tool_w, action, config.step_m, low_w, high_w, memory["has_target"], target_w)
        targets = self._steer(engine, target_w) if xp is np else self._steer_in_arrays(engine, target_w)
        if self._led:
            targets = self._led.lead(targets, engine.read("qpos")[:, :NUM_JOINTS], memory)
        if not config.has_gripper:
            return targets
        finger = _GRIP.offset + _GRIP.scale * action[:, 3:]
        return xp.concat([targets, *[finger] * NUM_FINGERS], axis=-1)

    def _steer(self, engine: Engine, target_w: Array) -> Array:
        """Returns joint positions [N, 7] on the way to tools at [N, 3]."""
        anchor_w, axis_w = (engine.view(name).transpose(1, 2, 0) for name in ("xanchor", "xaxis"))
        tool_w, rotation_w = (engine.view(name)[:, self._tool].T for name in ("site_xpos", "site_xmat"))
        return steer(engine.view("qpos"), anchor_w, axis_w, tool_w, rotation_w, target_w, TOOL_DOWN, *self._tuning)

    def _steer_in_arrays(self, engine: Engine, target_w: Array) -> Array:
        """Does the same for engines whose arrays are not numpy's."""
        xp, tool_w, rotation_w = engine.xp, self.tool_view(engine), engine.view("site_xmat")[:, self._tool]
        anchor_w, axis_w, joint_pos = (engine.view(name)[:, :NUM_JOINTS] for name in ("xanchor", "xaxis", "qpos"))
        down, *tuning = self._wanted.on(engine)
        error = pose_error(xp, tool_w, rotation_w.reshape(-1, 3, 3), target_w, down)
        jacobian = tool_jacobian(xp, anchor_w, axis_w, tool_w)
        return damped_targets(xp, xp.asarray(joint_pos, dtype=xp.float64), jacobian, error, *tuning)

    def tool(self, engine: Engine) -> Array:
        """Returns where the tools are in the world, [N, 3], m."""
        return engine.read("site_xpos")[:, self._tool]

    def tool_view(self, engine: Engine) -> Array:
        """Returns the same as the engine has it, to look at until the state changes."""
        return engine.view("site_xpos")[:, self._tool]

    def opening(self, engine: Engine) -> Array:
        """Returns how far apart the fingers are, [N], m."""
        fingers = engine.read("qpos")[:, NUM_JOINTS : self.num_joints]
        return fingers[:, 0] + fingers[:, 1]

    def squeeze(self, engine: Engine) -> Array:
        """Returns how far the fingers are from being as near to each other as commanded, on the average, [N], m."""
        commanded = engine.read("ctrl")[:, NUM_JOINTS : self.num_joints]
        return (self.opening(engine) - commanded[:, 0] - commanded[:, 1]) / NUM_FINGERS

    def feel(self, engine: Engine) -> Array:
        """Returns joint positions, their velocities and the tool's position, [N, 2 J + 3]."""
        qpos, qvel = (engine.view(name)[:, : self.num_joints] for name in ("qpos", "qvel"))
        return joined(engine.xp, qpos, qvel, self.tool_view(engine))


@fused
def _move_target(
    xp: Any,
    tool_w: Array,
    action: Array,
    step_m: float,
    low_w: Array,
    high_w: Array,
    has_target: Array,
    target_w: Array,
) -> None:
    """Moves the commanded tool positions `target_w` [N, 3], in place: from where the tool is, where there are none."""
    ahead_w = (target_w - tool_w) * has_target[:, None] + step_m * action[:, :3]
    lead_m = MAX_LEAD_STEPS * step_m
    target_w[...] = xp.minimum(xp.maximum(tool_w + xp.clip(ahead_w, -lead_m, lead_m), low_w), high_w)
    has_target[...] = True


_GRIP = CommandSpec(
    name="finger_m", unit="m", source=3, scale=FINGER_OPEN_M / 2, offset=FINGER_OPEN_M / 2, low=0.0, high=FINGER_OPEN_M
)


def _move(axis: int, config: ArmConfig) -> CommandSpec:
    """Says what an action does to the commanded tool position along one axis of the world."""
    step_m, low, high = config.step_m, config.low_w_m[axis], config.high_w_m[axis]
    moves = SetpointSpec(name=TOOL_NAMES[axis], low=low, high=high, max_lead=MAX_LEAD_STEPS * step_m)
    name = f"tool_d{'xyz'[axis]}_w_m"
    return CommandSpec(
        name=name, unit="m", source=axis, scale=step_m, offset=0.0, low=-step_m, high=step_m, moves=moves
    )
