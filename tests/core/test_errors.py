import pytest

from robossl.core.errors import suggestion

TOOL = [f"tool_d{axis}_w_m" for axis in "xyz"]
FRONT = ["front", "front_left", "front_right"]


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("jiont3_rad", [f"joint{number}_rad" for number in range(1, 8)], "joint3_rad"),
        ("sevro1", [f"servo{number}" for number in range(1, 8)], "servo1"),
        ("tool_x_w_m", TOOL, "tool_dx_w_m"),
        ("frnt", FRONT, "front"),
        ("front_lft", FRONT, "front_left"),
        ("robossl/ArmPsh-v0", ["robossl/ArmPush-v0", "robossl/ArmLift-v0"], "robossl/ArmPush-v0"),
        ("ArmPush-v0", ["robossl/ArmPush-v0", "robossl/ArmLift-v0"], "robossl/ArmPush-v0"),
        ("rbg", ["rgb"], "rgb"),
    ],
)
def test_the_nearest_name_is_told(name: str, known: list[str], near: str) -> None:
    assert suggestion(name, known) == f"; did you mean {near!r}?"


def test_what_all_names_share_makes_none_of_them_near() -> None:
    known = ["robossl/ArmPush-v0", "robossl/RingCorridor-v0"]
    assert suggestion("robossl/Foo-v0", known) == "; known: robossl/ArmPush-v0, robossl/RingCorridor-v0"
