from dataclasses import dataclass
from typing import Literal

import pytest

from robossl.core import UserError
from robossl.core.strict_json import from_json, read_dataclass, to_json


@dataclass(frozen=True, kw_only=True)
class Wheel:
    kind: Literal["wheel"] = "wheel"
    radius_m: float


@dataclass(frozen=True, kw_only=True)
class Leg:
    kind: Literal["leg"] = "leg"
    joints: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Robot:
    name: str
    num_cores: int
    live: bool
    limbs: tuple[Wheel | Leg, ...]
    size_m: tuple[float, float]
    note: str | None = None
    mode: Literal["slow", "fast"] = "slow"
    gains: dict[str, float]

    def __post_init__(self) -> None:
        if not self.name:
            raise UserError("a robot needs a name")


GOOD = (
    '{"name": "r", "num_cores": 2, "live": true, "size_m": [1, 0.5], "gains": {"p": 1},'
    ' "limbs": [{"kind": "leg", "joints": ["a"]}, {"kind": "wheel", "radius_m": 0.1}]}'
)


def read(text: str) -> Robot:
    return read_dataclass(Robot, text.encode(), file="robot.json")


def test_what_is_written_is_read_again() -> None:
    robot = read(GOOD)
    assert robot.limbs == (Leg(joints=("a",)), Wheel(radius_m=0.1))
    assert robot.size_m == (1.0, 0.5)
    assert from_json(Robot, to_json(robot), file="again") == robot


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"name": "r", ', "", "robot.json: key 'name' is missing"),
        ('"name"', '"nmae"', "robot.json: unknown key 'nmae'; did you mean 'name'?"),
        ('"name": "r"', '"name": 3', "robot.json: key 'name' must be text, got 3"),
        ('"name": "r"', '"name": ""', "robot.json: a robot needs a name"),
        ('"num_cores": 2', '"num_cores": 2.0', "robot.json: key 'num_cores' must be an integer, got 2.0"),
        ('"num_cores": 2', '"num_cores": true', "robot.json: key 'num_cores' must be an integer, got True"),
        ('"live": true', '"live": 1', "robot.json: key 'live' must be true or false, got 1"),
        ("[1, 0.5]", "[1]", "robot.json: key 'size_m' must be a list of 2, got [1]"),
        ("[1, 0.5]", '[1, "x"]', "robot.json: key 'size_m[1]' must be a number, got 'x'"),
        ("[1, 0.5]", "[1, NaN]", "robot.json is not valid JSON: NaN is not a number"),
        ("[1, 0.5]", "[1, 1e999]", "robot.json: key 'size_m[1]' must be a finite number, got inf"),
        ('{"p": 1}', '{"p": null}', "robot.json: key 'gains.p' must be a number, got None"),
        ('{"p": 1}', '{"p": 1, "p": 2}', "robot.json is not valid JSON: key 'p' stands there twice"),
        ('"wheel"', '"wing"', "robot.json: key 'limbs[1].kind' must be 'wheel' or 'leg', got 'wing'"),
        ('"radius_m": 0.1', '"radius": 0.1', "robot.json: unknown key 'limbs[1].radius'; did you mean 'radius_m'?"),
        ('["a"]', '"a"', "robot.json: key 'limbs[0].joints' must be a list, got 'a'"),
        ('"live": true', '"live": true, "mode": "mad"', "robot.json: key 'mode' must be 'slow' or 'fast', got 'mad'"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(old: str, new: str, line: str) -> None:
    assert old in GOOD
    with pytest.raises(UserError) as caught:
        read(GOOD.replace(old, new, 1))
    assert str(caught.value) == line


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "\x00", '{"name": "r"', "3", "null", "[]", "9" * 5000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"robot\.json"):
        read(text)
