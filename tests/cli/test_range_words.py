"""What random ranges are, with units, textures' names, and how many numbers are drawn."""

from typing import Any

import mujoco
import pytest

from robossl.cli.range_words import effect, numbers
from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Push, Randomisation


@pytest.fixture(scope="module")
def model() -> Any:
    return mujoco.MjModel.from_xml_string("""
<mujoco>
  <asset><material name="wood"/><material name="stone"/></asset>
  <worldbody>
    <light name="sun"/>
    <camera name="eye"/>
    <body name="box"><joint name="hinge1"/><geom name="side" size="1"/></body>
    <body name="can"><joint name="hinge2"/><joint name="slide" type="slide"/><geom name="tin" size="1"/></body>
  </worldbody>
</mujoco>""")


_JOINTS = ("hinge1", "hinge2")


@pytest.mark.parametrize(
    ("entry", "told", "drawn"),
    [
        (
            Randomisation(field="qpos", elements=_JOINTS, mode="offset", low=-0.1, high=0.1, each=True),
            "qpos of hinge1..2 plus -0.1 to 0.1 rad",
            "one for each joint",
        ),
        (
            Randomisation(field="qvel", elements=("slide",), mode="set", low=0, high=1),
            "qvel of slide set to 0 to 1 m/s",
            "one",
        ),
        (
            Randomisation(field="dof_damping", elements=_JOINTS, low=0.5, high=2),
            "dof_damping of hinge1..2 times 0.5 to 2",
            "one for all",
        ),
        (
            Randomisation(field="light_dir", mode="turn", low=0, high=0.5),
            "light_dir turned by 0 to 0.5 rad",
            "one",
        ),
        (
            Randomisation(field="cam_pos", mode="offset", low=0, high=0.5, each=True),
            "cam_pos plus 0 to 0.5 m",
            "one for each camera and axis",
        ),
        (
            Randomisation(field="geom_rgba", columns=(0, 1), mode="offset", low=0, high=0.5, each=True),
            "geom_rgba[0, 1] plus 0 to 0.5 on a scale from 0 to 1",
            "one for each geom and channel",
        ),
        (
            Randomisation(field="geom_matid", elements=("side", "tin"), mode="choose", low=-1, high=1, each=True),
            "geom_matid of side, tin: one of none, wood, stone",
            "one for each geom",
        ),
        (ActionDelay(high=0.1), "actions 0 to 0.1 s late, rounded to whole decisions", "one"),
        (
            Push(body="box", high=3),
            "horizontal forces of 0 to 3 N on box in 10 % of all decisions",
            "one strength, a new direction for each push",
        ),
    ],
)
def test_a_range_has_its_unit_and_its_numbers(entry: AnyRandomisation, told: str, drawn: str, model: Any) -> None:
    assert (effect(entry, model), numbers(entry, model)) == (told, drawn)
