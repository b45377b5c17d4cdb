"""Ranges that lead to what no model can have are refused when they are given."""

from typing import Any

import numpy as np
import pytest

from robossl.core import UserError
from robossl.envs.field_changes import FieldChange
from robossl.envs.field_limits import FieldLimits
from robossl.envs.mujoco_model import load_model
from robossl.envs.randomisation import Randomisation

XML = """
<mujoco>
  <compiler autolimits="true"/>
  <option density="1" viscosity="1"/>
  <asset>
    <mesh name="wedge" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/>
    <hfield name="hills" nrow="2" ncol="2" size="1 1 1 1" elevation="0 1 1 0"/>
  </asset>
  <worldbody>
    <light name="sun" dir="0 0 -1"/>
    <camera name="eye" quat="0.5 -0.5 -0.5 -0.5"/>
    <geom name="floor" type="plane" size="0 0 0.1"/>
    <geom name="rock" type="mesh" mesh="wedge"/>
    <geom name="hills" type="hfield" hfield="hills"/>
    <geom name="step" type="box" size="1 1 0.1"/>
    <body name="cart" pos="0 0 5">
      <joint name="rail" type="slide" range="1 1.2"/>
      <geom name="cart" type="capsule" size="0.1 0.2"/>
      <body name="pole">
        <joint name="hinge" axis="0 1 0"/>
        <geom name="pole" type="mesh" mesh="wedge"/>
        <geom name="knob" size="0.1"/>
      </body>
    </body>
    <body name="ball" pos="5 0 5"><freejoint name="ball"/><geom name="ball" size="0.1"/></body>
  </worldbody>
  <tendon><fixed name="rope" stiffness="2" damping="3"><joint joint="rail" coef="1"/></fixed></tendon>
  <actuator><motor name="push" joint="rail" ctrlrange="-1 1" forcerange="-2 2"/></actuator>
</mujoco>
"""


def change(field: str, low: float, high: float, **options: Any) -> FieldChange:
    return FieldChange(load_model(XML), field, Randomisation(field=field, low=low, high=high, **options))


NO_DIRECTION, CROSSED = "that makes vectors of length 0", "that makes ranges that end before they begin"


@pytest.mark.parametrize(
    ("field", "low", "high", "options", "message"),
    [
        ("tendon_stiffness", -5, 1, {"mode": "set"}, "that makes -5 to 1, beyond 0 to inf"),
        ("tendon_damping", -5, 0, {"mode": "offset"}, "that makes -2 to 3, beyond 0 to inf"),
        ("body_inertia", 0, 1, {"elements": ("cart",)}, "beyond 1e-15 to inf"),
        ("opt.impratio", 0, 1, {}, "that makes 0 to 1, beyond 1e-15 to inf"),
        ("opt.density", -5, 0, {"mode": "set"}, "that makes -5 to 0, beyond 0 to inf"),
        ("opt.viscosity", -5, 0, {"mode": "set"}, "that makes -5 to 0, beyond 0 to inf"),
        ("jnt_range", -1, 1, {"mode": "set", "each": True, "elements": ("rail",)}, CROSSED),
        ("jnt_range", 0.5, 2, {"each": True, "elements": ("rail",)}, CROSSED),
        ("jnt_range", 0, 1.1, {"mode": "set", "columns": (1,), "elements": ("rail",)}, CROSSED),
        ("actuator_ctrlrange", -3, 0, {"mode": "offset", "columns": (1,)}, CROSSED),
        ("actuator_forcerange", 0, 5, {"mode": "offset", "columns": (0,)}, CROSSED),
        ("body_quat", 0, 0, {}, NO_DIRECTION),
        ("cam_quat", -1, 1, {"mode": "choose", "each": True}, "that makes vectors of whole numbers"),
        ("cam_quat", 0, 0, {"mode": "set"}, NO_DIRECTION),
        ("geom_solref", -1, 1, {"mode": "set", "columns": (0,)}, "one is positive and the other is not"),
        ("light_active", 0.2, 0.5, {"mode": "set"}, "that makes fractions of what is counted"),
        ("geom_size", -1, 1, {"mode": "set", "elements": ("step",)}, "that makes -1 to 1, beyond 0 to inf"),
        ("geom_size", 0, 0, {"elements": ("cart",)}, "that makes 0 to 0, beyond 1e-06 to inf"),
    ],
)
def test_a_range_that_makes_no_model_is_refused(
    field: str, low: float, high: float, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        change(field, low, high, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("field", "low", "high", "options"),
    [
        ("jnt_range", 0.5, 2, {"elements": ("rail",)}),
        ("jnt_range", -3, 3, {"mode": "offset"}),
        ("jnt_range", -1, 1, {"mode": "set", "each": True, "elements": ("hinge",)}),  # which has no limits
        ("actuator_ctrlrange", 0, 1, {}),
        ("body_quat", -0.5, 0.5, {"mode": "offset", "each": True}),
        ("light_dir", -0.5, 0.5, {"mode": "offset", "each": True}),
        ("cam_quat", -1, 1, {"mode": "set", "each": True}),  # any direction, but none of all that are drawn is 0
        ("light_dir", 0, 2, {"mode": "offset", "columns": (2,)}),
        ("light_dir", -1, 0, {"mode": "set", "columns": (2,)}),
        ("geom_solref", 0.5, 2, {"columns": (0,)}),
        ("geom_size", 0.5, 2, {"elements": ("floor", "step", "cart")}),
        ("geom_size", 0, 5, {"mode": "set", "elements": ("floor",)}),  # 0 is without end
        ("geom_size", 0, 1, {"elements": ("step",)}),  # which hides it
        ("body_mass", 0.5, 2, {}),
        ("light_active", 0, 0, {"mode": "set"}),
    ],
)
def test_a_range_that_makes_models_is_taken(field: str, low: float, high: float, options: dict[str, Any]) -> None:
    change(field, low, high, **options)


@pytest.mark.parametrize(
    ("field", "geom", "message"),
    [
        ("geom_size", "rock", "it is made of a mesh, which has the size that it was compiled with"),
        ("geom_size", "hills", "it is made of a height field"),
        ("geom_size", "pole", "it is made of a mesh"),
        ("geom_size", "knob", "its body moves, and its inertia would not follow"),
        ("geom_pos", "knob", "its body moves, and its inertia would not follow"),
    ],
)
def test_a_shape_that_cannot_vary_is_refused_by_name_before_anything_is_drawn(
    field: str, geom: str, message: str
) -> None:
    with pytest.raises(UserError, match=f"{field} of geom '{geom}' cannot be randomised: {message}"):
        change(field, 0.5, 2, mode="offset", elements=(geom,))


def test_a_place_that_turns_on_a_moving_body_is_refused() -> None:
    with pytest.raises(UserError, match="geom_quat of geom 'knob' cannot be randomised: its body moves"):
        change("geom_quat", 0, 0.1, mode="turn", elements=("knob",))


def test_a_centre_that_the_compiler_took_for_fixed_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="body_ipos of body 'ball' cannot be randomised: it is compiled as simple"):
        change("body_ipos", 0, 0.1, mode="offset", elements=("ball",))
    change("body_ipos", 0, 0.1, mode="offset", elements=("pole",))


def test_values_of_several_worlds_are_looked_at_one_by_one() -> None:
    limits = FieldLimits(load_model(XML), "jnt_range", np.arange(2))
    values = np.array([[[0.0, 1.0], [0.0, 0.0]], [[1.0, 0.5], [0.0, 0.0]]])
    assert limits.flaw(values[:1], values[:1]) is None
    assert limits.flaw(values, values) == "ranges that end before they begin"


def test_what_the_task_lays_out_is_judged_when_it_comes() -> None:
    entry = Randomisation(field="jnt_range", low=-2, high=2, mode="offset", each=True, elements=("rail",))
    with pytest.raises(UserError, match=CROSSED):
        FieldChange(load_model(XML), "jnt_range", entry)
    FieldChange(load_model(XML), "jnt_range", entry, ("jnt_range",))


def test_fields_that_may_be_anything_have_no_limits() -> None:
    assert not FieldLimits(load_model(XML), "body_pos")
    assert FieldLimits(load_model(XML), "cam_quat")
