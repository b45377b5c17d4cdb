"""What the bridge says of a profile that is tighter than training was."""

from dataclasses import replace

from deploy_robots import arm_profile, base_profile

from robossl.core import MotionSpec
from robossl.deploy.training_limits import tighter_limits

TRAINED = MotionSpec(
    joints=("joint1", "joint2"),
    velocity_rad_s=(1.5, 2.0),
    acceleration_rad_s2=(7.0, 8.0),
    blend_s=arm_profile().safety.blend_s,
    horizon_periods=1.5,
)
"""As the profile's."""


def test_the_same_limits_or_wider_ones_are_not_spoken_of() -> None:
    assert tighter_limits(arm_profile(), TRAINED) is None
    assert tighter_limits(arm_profile(), replace(TRAINED, acceleration_rad_s2=(1.0, 8.0))) is None


def test_every_tighter_limit_is_named_in_one_line() -> None:
    trained = replace(TRAINED, velocity_rad_s=(1.5, 2.5), acceleration_rad_s2=(9.0, 9.5))
    assert tighter_limits(arm_profile(), trained) == (
        "profile two_joints bounds joints tighter than training did, which may cost success: velocity of joint2 2"
        " instead of 2.5 rad/s; acceleration of joint1 7 instead of 9, joint2 8 instead of 9.5 rad/s2"
    )


def test_lines_and_a_blend_that_were_not_felt_are_named_too() -> None:
    safety = replace(arm_profile().safety, blend_s=1.0)
    line = tighter_limits(replace(arm_profile(), safety=safety), replace(TRAINED, blend_s=0.5, horizon_periods=None))
    assert line is not None
    assert line.endswith("speeds rise for 1 instead of 0.5 s; joints take 1.5 instead of 0 periods to a command")


def test_a_policy_that_learnt_without_limits_is_told_of() -> None:
    for trained in (None, replace(TRAINED, acceleration_rad_s2=None, horizon_periods=1.5)):
        line = tighter_limits(arm_profile(), trained)
        assert line is not None
        assert line.endswith("no joint's acceleration was bounded then")


def test_a_base_has_no_joints() -> None:
    assert tighter_limits(base_profile(), None) is None
