import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from deploy_robots import SAFETY, TYPES, arm, arm_profile, base_profile, joint

from robossl.core import UserError
from robossl.core.strict_json import to_json
from robossl.deploy.limits import ArmLimits, NoObstacleSensing
from robossl.deploy.profile import RobotProfile, RosConfig, profile_from_values, read_profile
from robossl.deploy.topics import PositionsOutput, TrajectoryOutput, TwistOutput
from robossl.deploy.transports.choice import open_transport


@pytest.mark.parametrize("profile", [arm_profile(), base_profile()])
def test_a_profile_travels_as_json(profile: RobotProfile) -> None:
    assert read_profile(json.dumps(to_json(profile)).encode(), file="profile.json") == profile


def changed(*path: Any, value: Any = None, drop: bool = False) -> Any:
    values = to_json(arm_profile())
    part = values
    for key in path[:-1]:
        part = part[key]
    if drop:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            changed("limits", "joints", 0, "acceleration_rad_s2", drop=True),
            r"joints\[0\].acceleration_rad_s2' is missing",
        ),
        (changed("limits", "joints", 0, "velocty_rad_s", value=1.0), r"did you mean 'velocity_rad_s'"),
        (changed("limits", "joints", 1, "velocity_rad_s", value=-1.0), r"velocity_rad_s must be positive, got -1.0"),
        (changed("limits", "joints", 1, "min_rad", value=9.0), r"min_rad must be below max_rad"),
        (changed("limits", "joints", 0, "deviation_rad", value=0.9), r"deviation_rad must be below tracking_rad"),
        (changed("limits", "joints", 1, "name", value="robot_joint1"), r"different names"),
        (changed("limits", "tool", "links", value=[]), r"0 links for 2 joints"),
        (changed("inputs", 0, "topic", value="joint_states"), r"not the full name of a topic"),
        (changed("inputs", 1, "topic", value="/joint_states"), r"every topic may stand there once"),
        (changed("inputs", 0, "kind", value="joint"), r"inputs\[0\].kind"),
        (changed("ros", "domain_id", value=233), r"domain_id must be in 0..232"),
        (changed("ros", "interface", value="lo<x/>"), r"not the name of an interface"),
        (changed("ros", "url", value="http://x"), r"url must begin with ws://"),
        (changed("ros", "master", value="robot:11311"), r"master must be like http://127\.0\.0\.1:11311"),
        (changed("ros", "transport", value="ros3"), r"ros3"),
        (changed("safety", "stop_repeats", value=0), r"stop_repeats >= 1"),
        (changed("safety", "max_period_factor", value=float("inf")), r"must be a finite number"),
        (changed("output", "horizon_periods", value=9.0), r"horizon_periods must be between 1 and 3"),
        (
            changed("output", value={"kind": "positions", "topic": "/forward", "robot_timeout_s": 0.0}),
            r"robot_timeout_s must be positive, got 0\.0",
        ),
    ],
)
def test_a_profile_with_a_mistake_is_refused_in_one_line(values: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        profile_from_values(values, file="profile.json")
    assert "\n" not in str(caught.value)


def test_what_an_arm_or_a_base_needs_must_be_there() -> None:
    with pytest.raises(UserError, match="one input of kind 'joints'"):
        arm_profile(inputs=arm_profile().inputs[1:])
    with pytest.raises(UserError, match="one input of kind 'scan'"):
        base_profile(inputs=base_profile().inputs[:1])
    with pytest.raises(UserError, match="output of kind 'twist' does not fit"):
        arm_profile(output=TwistOutput(topic="/cmd_vel", stamped=False))
    with pytest.raises(UserError, match="output of kind 'trajectory' does not fit"):
        base_profile(output=TrajectoryOutput(topic="/t", horizon_periods=1.0))


def test_joints_that_the_robot_counts_from_another_number_are_not_swapped() -> None:
    joints = tuple(joint(i, name=f"joint{i - 1}") for i in (1, 2, 3))
    assert ArmLimits(joints=joints).joints == joints


def test_live_needs_a_tool_box_and_an_answer_about_obstacles() -> None:
    arm_profile().require_live()
    base_profile().require_live()
    with pytest.raises(UserError, match=r"may not go live: it lacks limits\.tool"):
        arm_profile(limits=arm()).require_live()
    limits = base_profile().limits
    blind = base_profile(limits=replace(limits, obstacle=None))
    with pytest.raises(UserError, match=r"lacks limits\.obstacle"):
        blind.require_live()
    replace(blind, limits=replace(limits, obstacle=NoObstacleSensing(because="fenced in"))).require_live()


def test_the_guard_is_tuned_from_the_profile() -> None:
    config = SAFETY.guard(0.02, speed=0.1)
    assert (config.period_s, config.max_period_s, config.speed) == (0.02, pytest.approx(0.03), 0.1)


def test_outputs_and_transports_have_their_own_choices() -> None:
    assert (
        replace(arm_profile(), output=PositionsOutput(topic="/forward", robot_timeout_s=0.2)).output.kind == "positions"
    )
    assert RosConfig(transport="rosbridge", url="wss://robot:9090").url.startswith("wss")


@pytest.mark.parametrize("transport", ["rclpy", "ros1"])
def test_a_transport_whose_package_is_absent_says_what_to_do(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rclpy", "rospy", "rosgraph"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "robossl.deploy.transports.ros1", raising=False)
    with pytest.raises(UserError, match=rf"transport {transport} needs \w+: (source|packaging)"):
        open_transport(RosConfig(transport=transport), TYPES)  # type: ignore[arg-type]
