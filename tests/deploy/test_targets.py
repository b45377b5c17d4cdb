from dataclasses import replace

import numpy as np
import pytest
from deploy_robots import (
    SAFETY,
    arm_contract,
    arm_profile,
    base_contract,
    base_profile,
    joint,
    panda_tool,
)

from robossl.core import CommandSpec, SetpointSpec, UserError
from robossl.core.inverse_kinematics import damped_targets, pose_error
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits
from robossl.deploy.motion import Measured
from robossl.deploy.profile import RobotProfile, ToolControl
from robossl.deploy.targets import make_targets
from robossl.envs.tasks.panda import (
    POSITION_MAX_RAD,
    POSITION_MIN_RAD,
    TOOL_DOWN,
    VELOCITY_MAX_RAD_S,
    IKConfig,
    tuning,
)

STILL = Measured(position=np.zeros(2), velocity=np.zeros(2))


def moving(name: str, source: int, step: float = 0.1) -> CommandSpec:
    moves = SetpointSpec(name=name, low=-0.5, high=0.5, max_lead=0.25)
    unit = name.rsplit("_", 1)[1]
    return CommandSpec(
        name=f"d{name}", unit=unit, source=source, scale=step, offset=0.0, low=-step, high=step, moves=moves
    )


def test_a_base_takes_speed_and_yaw_rate_by_name() -> None:
    contract = base_contract(commands=base_contract().commands[::-1])
    targets = make_targets(contract, base_profile())
    np.testing.assert_array_equal(targets.wanted(np.array([0.5, 2.0]), {}, STILL), [2.0, 0.5])


def test_joint_positions_go_by_name() -> None:
    contract = arm_contract(commands=arm_contract().commands[::-1])
    targets = make_targets(contract, arm_profile())
    values = {"position:joint1": 0.0, "position:joint2": 0.0}
    targets.start(values)
    np.testing.assert_array_equal(targets.wanted(np.array([0.2, 0.1]), values, STILL), [0.1, 0.2])


def test_set_points_move_step_by_step_and_wait_for_the_robot() -> None:
    contract = arm_contract(commands=(moving("joint1_rad", 0), moving("joint2_rad", 1)))
    targets = make_targets(contract, arm_profile())
    values = {"position:joint1": 0.0, "position:joint2": 0.4}
    targets.start(values)
    points = [targets.wanted(np.array([0.1, 0.1]), values, STILL) for _ in range(4)]
    np.testing.assert_allclose(points, [[0.1, 0.5], [0.2, 0.5], [0.25, 0.5], [0.25, 0.5]])
    assert np.isnan(targets.wanted(np.array([np.nan, 0.1]), values, STILL)[0])
    np.testing.assert_allclose(targets.wanted(np.array([-0.1, 0.0]), values, STILL), [0.15, 0.5])


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (base_contract().commands, r"commands no 'joint1_rad'"),
        ((*arm_contract().commands, moving("gripper_m", 0)), r"also commands dgripper_m"),
    ],
)
def test_a_profile_for_another_robot_is_refused(commands: tuple[CommandSpec, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_targets(arm_contract(commands=commands), arm_profile())


def test_another_unit_is_refused() -> None:
    speed, turn = base_contract().commands
    with pytest.raises(UserError, match=r"is in 'deg/s', the profile takes a set-point in 'rad/s'"):
        make_targets(base_contract(commands=(speed, replace(turn, unit="deg/s"))), base_profile())


CONTROL = ToolControl(
    name="tool",
    damping=IKConfig().damping,
    posture_gain=IKConfig().posture_gain,
    posture_rad=IKConfig().posture_rad,
    x_axis_w=(1.0, 0.0, 0.0),
    z_axis_w=(0.0, 0.0, -1.0),
)


def panda() -> RobotProfile:
    joints = tuple(
        replace(
            joint(i + 1),
            min_rad=float(POSITION_MIN_RAD[i]),
            max_rad=float(POSITION_MAX_RAD[i]),
            velocity_rad_s=float(VELOCITY_MAX_RAD_S[i]),
        )
        for i in range(7)
    )
    limits = ArmLimits(joints=joints, tool=panda_tool())
    return arm_profile(limits=limits, tool_control=CONTROL, inputs=arm_profile().inputs[:1], safety=SAFETY)


def test_tool_motions_become_the_joints_of_the_simulated_arm() -> None:
    commands = tuple(
        replace(
            moving(f"tool_{axis}_w_m", i, 0.04),
            moves=SetpointSpec(name=f"tool_{axis}_w_m", low=-1.0, high=1.0, max_lead=0.08),
        )
        for i, axis in enumerate("xyz")
    )
    profile, contract = panda(), arm_contract(commands=commands, actions=("x", "y", "z"), control_hz=12.5)
    targets, rng = make_targets(contract, profile), np.random.default_rng(3)
    tool = panda_tool()
    for _ in range(20):
        q = np.array(IKConfig().posture_rad) + rng.uniform(-0.2, 0.2, 7)
        position_w, rotation_w, jacobian = ToolKinematics(tool).jacobian(q)
        values = {f"tool_{axis}_w_m": float(x) for axis, x in zip("xyz", position_w, strict=True)}
        targets.start(values)
        step = rng.uniform(-0.04, 0.04, 3)
        wanted = targets.wanted(step, values, Measured(position=q, velocity=np.zeros(7)))
        error = pose_error(np, position_w[None], rotation_w[None], (position_w + step)[None], TOOL_DOWN)
        expected = damped_targets(np, q[None], jacobian[None], error, *tuning(0.08, IKConfig()))[0]
        np.testing.assert_allclose(wanted, expected, rtol=0, atol=1e-12)


def test_an_arm_without_a_preferred_posture_keeps_the_one_in_which_it_was_armed() -> None:
    commands = tuple(moving(f"tool_{axis}_w_m", i) for i, axis in enumerate("xyz"))
    profile = replace(panda(), tool_control=replace(CONTROL, posture_rad=None))
    targets = make_targets(arm_contract(commands=commands, actions=("x", "y", "z"), control_hz=12.5), profile)
    armed = np.array(IKConfig().posture_rad) + np.linspace(-0.2, 0.2, 7)
    q = armed + 0.05
    position_w, rotation_w, jacobian = ToolKinematics(panda_tool()).jacobian(q)
    values = {f"tool_{axis}_w_m": float(x) for axis, x in zip("xyz", position_w, strict=True)}
    targets.start(values | {f"position:joint{i + 1}": float(x) for i, x in enumerate(armed)})
    wanted = targets.wanted(np.zeros(3), values, Measured(position=q, velocity=np.zeros(7)))
    error = pose_error(np, position_w[None], rotation_w[None], position_w[None], TOOL_DOWN)
    config = IKConfig(posture_rad=tuple(armed.tolist()))
    expected = damped_targets(np, q[None], jacobian[None], error, *tuning(0.08, config))[0]
    np.testing.assert_allclose(wanted, expected, rtol=0, atol=1e-12)


def test_crooked_tool_axes_are_refused() -> None:
    commands = tuple(moving(f"tool_{axis}_w_m", i) for i, axis in enumerate("xyz"))
    profile = replace(panda(), tool_control=replace(CONTROL, z_axis_w=(0.5, 0.0, -1.0)))
    with pytest.raises(UserError, match="right angle"):
        make_targets(arm_contract(commands=commands, actions=("x", "y", "z")), profile)
