"""The robot's own controllers: what they do with commands, with nonsense, and without any."""

from typing import Any

import numpy as np
import pytest
from stage import REACH, RING, TYPES, arm_profile, base_profile

from robossl.deploy.encoder import CommandEncoder
from robossl.deploy.topics import PositionsOutput
from robossl.envs.make import make_task
from robossl.envs.straight_lines import StraightLines
from robossl.rehearsal.controllers import Controller, RejectedCommandError, make_controller

START = np.linspace(-0.3, 0.3, 7)
PERIOD_S = 0.1


def arm_controller(**changes: Any) -> Controller:
    controller = make_controller(arm_profile(**changes), make_task(REACH).build_model(), twist_timeout_s=0.5)
    controller.begin(START)
    return controller


def trajectory(positions: Any, horizon_s: float = PERIOD_S) -> Any:
    profile = arm_profile()
    horizon = profile.output.horizon_periods  # type: ignore[union-attr]
    return CommandEncoder(profile, TYPES, period_s=horizon_s / horizon).encode(np.asarray(positions), 0)


def test_a_trajectory_is_followed_in_a_straight_line_and_its_end_is_held() -> None:
    controller, goal = arm_controller(), START + 0.2
    controller.receive(trajectory(goal), 1.0)
    np.testing.assert_allclose(controller.ctrl(1.0), START)
    np.testing.assert_allclose(controller.ctrl(1.025), 0.75 * START + 0.25 * goal)
    np.testing.assert_allclose(controller.ctrl(1.1), goal)
    np.testing.assert_allclose(controller.ctrl(9.0), goal)


def test_a_new_trajectory_begins_where_the_last_one_had_led() -> None:
    controller = arm_controller()
    controller.receive(trajectory(START + 0.2), 1.0)
    controller.receive(trajectory(START), 1.05)
    np.testing.assert_allclose(controller.ctrl(1.05), START + 0.1)
    np.testing.assert_allclose(controller.ctrl(1.1), START + 0.05)


def test_joints_are_found_by_name() -> None:
    controller, goal = arm_controller(), np.arange(7) / 10
    message = trajectory(goal)
    message.joint_names = message.joint_names[::-1]
    message.points[0].positions = message.points[0].positions[::-1].copy()
    controller.receive(message, 1.0)
    np.testing.assert_allclose(controller.ctrl(2.0), goal)


@pytest.mark.parametrize("wrong", ["names", "empty", "short", "nan", "past"])
def test_a_trajectory_that_makes_no_sense_is_rejected_and_the_last_goes_on(wrong: str) -> None:
    controller, goal = arm_controller(), START + 0.2
    controller.receive(trajectory(goal), 1.0)
    message = trajectory(START - 0.5)
    point = message.points[0]
    if wrong == "names":
        message.joint_names[0] = "elbow"
    elif wrong == "empty":
        message.points = []
    elif wrong == "short":
        point.positions = point.positions[:3]
    elif wrong == "nan":
        point.positions[2] = np.nan
    else:
        point.time_from_start.sec = -1
    with pytest.raises(RejectedCommandError):
        controller.receive(message, 1.02)
    np.testing.assert_allclose(controller.ctrl(2.0), goal)


def test_forwarded_positions_take_effect_at_once_and_stay() -> None:
    controller = arm_controller(output=PositionsOutput(topic="/positions", robot_timeout_s=0.2))
    controller.receive(TYPES.values(START + 1), 1.0)
    np.testing.assert_allclose(controller.ctrl(1.0), START + 1)
    for wrong in ([1.0], [np.inf] * 7):
        with pytest.raises(RejectedCommandError):
            controller.receive(TYPES.values(wrong), 1.1)
    np.testing.assert_allclose(controller.ctrl(9.0), START + 1)


def test_a_base_drives_as_told_and_stops_by_itself() -> None:
    profile = base_profile()
    controller = make_controller(profile, make_task(RING).build_model(), twist_timeout_s=0.5)
    controller.begin(np.ones(3))
    np.testing.assert_array_equal(controller.ctrl(0.0), [0, 0, 0])
    encoder = CommandEncoder(profile, TYPES, period_s=PERIOD_S)
    controller.receive(encoder.encode(np.array([0.5, -0.25]), 0), 1.0)
    np.testing.assert_array_equal(controller.ctrl(1.5), [0.5, 0.0, -0.25])
    np.testing.assert_array_equal(controller.ctrl(1.51), [0, 0, 0])
    with pytest.raises(RejectedCommandError):
        controller.receive(encoder.encode(np.array([np.nan, 0.0]), 0), 1.6)
    np.testing.assert_array_equal(controller.ctrl(1.6), [0, 0, 0])


def test_in_training_joints_go_where_a_trajectory_controller_leads_them() -> None:
    controller, generator = arm_controller(), np.random.default_rng(0)
    steps, horizon = 16, 1.5
    lines = StraightLines(1, 8, num_led=7, steps=horizon * steps)
    lines.begin(np.ones(1, bool), np.concatenate([START, [0.0]])[None])
    for decision in range(5):
        goal, grip = START + generator.uniform(-0.3, 0.3, 7), float(decision)
        controller.receive(trajectory(goal, horizon * PERIOD_S), decision * PERIOD_S)
        lines.turn(np.concatenate([goal, [grip]])[None])
        for i in range(steps):
            led = lines.next()[0]
            np.testing.assert_allclose(led[:7], controller.ctrl((decision + i / steps) * PERIOD_S), atol=1e-9)
            assert led[7] == grip  # what is not an arm's joint jumps
