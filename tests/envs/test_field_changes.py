"""What a randomisation changes of a field: options, joints with several numbers, what no element is of."""

from typing import Any

import numpy as np
import pytest
from engine_toys import engine_of

from robossl.core import Draws, UserError
from robossl.envs.field_changes import FieldChange
from robossl.envs.field_tables import rows_of
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.randomisation import Randomisation
from robossl.envs.randomiser import Randomiser

XML = """
<mujoco>
  <option timestep="0.01" density="2" viscosity="3" impratio="4"/>
  <worldbody>
    <body name="left" mocap="true" pos="1 2 3"/>
    <body name="right" mocap="true" pos="4 5 6"/>
    <body name="box" pos="0 0 1">
      <freejoint name="box"/>
      <geom name="box" size="0.1"/>
      <body name="arm">
        <joint name="shoulder" type="ball" stiffness="2"/>
        <geom name="arm" size="0.1" pos="0.5 0 0"/>
        <body name="hand">
          <joint name="wrist" axis="0 1 0"/>
          <geom name="hand" size="0.1"/>
        </body>
      </body>
    </body>
  </worldbody>
  <equality><weld name="grip" body1="box" body2="left" active="false"/></equality>
  <actuator>
    <motor name="push" joint="wrist"/>
    <position name="slow" joint="wrist" timeconst="0.5"/>
  </actuator>
</mujoco>
"""
NUM = 50
EVERYONE = np.arange(NUM)


def begun(field: str, low: float, high: float | None = None, **options: Any) -> MujocoEngine:
    """Returns worlds that have begun with one field randomised."""
    engine = engine_of(load_model(XML), NUM)
    engine.reset(EVERYONE)
    entry = Randomisation(field=field, low=low, high=low if high is None else high, **options)
    it = Randomiser(engine, {"it": entry}, (), num_actions=1, control_hz=10.0)
    it.begin(EVERYONE, Draws(3, 0, EVERYONE, np.zeros(NUM, np.int64)))
    engine.forward()
    return engine


def refused(field: str, **options: Any) -> str:
    """Returns the one line that refuses a randomisation."""
    with pytest.raises(UserError) as error:
        FieldChange(load_model(XML), field, Randomisation(field=field, low=0.5, high=0.5, **options))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("field", "value"), [("opt.density", 2), ("opt.viscosity", 3), ("opt.impratio", 4)])
def test_an_option_of_one_number_is_scaled(field: str, value: float) -> None:
    values = begun(field, 0.5, 1.5).model_values()[field]
    assert values.shape == (NUM,)
    assert 0.5 * value <= values.min() < 0.6 * value
    assert 1.4 * value < values.max() <= 1.5 * value


def test_a_randomised_viscosity_slows_what_moves() -> None:
    speeds = []
    for viscosity in (0.0, 10.0):
        engine = begun("opt.viscosity", viscosity, mode="set")
        for _ in range(5):
            engine.step(np.zeros((NUM, 2)), 5)
        speeds.append(np.abs(engine.read("qvel")[0, 2]))
    assert speeds[1] < 0.9 * speeds[0]


def test_columns_of_an_option_are_those_of_its_vector() -> None:
    gravity = begun("opt.gravity", -5.0, mode="set", columns=(2,)).model_values()["opt.gravity"]
    np.testing.assert_array_equal(gravity, np.tile([0, 0, -5.0], (NUM, 1)))


def test_gravity_turns_as_a_whole() -> None:
    gravity = begun("opt.gravity", 0.3, mode="turn").model_values()["opt.gravity"]
    np.testing.assert_allclose(np.linalg.norm(gravity, axis=1), 9.81)
    tilt = np.arccos(-gravity[:, 2] / 9.81)
    assert 0.25 < tilt.max() < 0.3 + 1e-9


def test_every_number_of_a_vector_draws_its_own_where_asked_for() -> None:
    gravity = begun("opt.gravity", -1.0, 1.0, mode="set", each=True).model_values()["opt.gravity"]
    assert all(len(np.unique(row)) == 3 for row in gravity)


@pytest.mark.parametrize(
    ("joint", "dofs"), [("box", [0, 1, 2, 3, 4, 5]), ("shoulder", [6, 7, 8]), ("wrist", [9])], ids=str
)
def test_all_dofs_of_a_joint_change(joint: str, dofs: list[int]) -> None:
    expected = np.where(np.isin(np.arange(10), dofs), 0.5, 0.0)
    damping = begun("dof_damping", 0.5, mode="set", elements=(joint,)).model_values()["dof_damping"]
    np.testing.assert_array_equal(damping[0], expected)
    np.testing.assert_array_equal(begun("qvel", 0.5, mode="set", elements=(joint,)).read("qvel")[0], expected)


def test_the_position_of_a_joint_with_one_number_changes() -> None:
    np.testing.assert_array_equal(begun("qpos", 0.5, mode="offset", elements=("wrist",)).read("qpos")[:, 11], 0.5)


@pytest.mark.parametrize("elements", [("box",), ("wrist", "shoulder"), None])
def test_poses_are_no_numbers_to_add_to(elements: tuple[str, ...] | None) -> None:
    joint = "shoulder" if elements and "shoulder" in elements else "box"
    for field in ("qpos", "qpos_spring"):
        assert refused(field, mode="offset", elements=elements).startswith(f"{field} of joint '{joint}' is a pose")


def test_mocap_bodies_go_by_their_names() -> None:
    places = begun("mocap_pos", 0.5, mode="offset", elements=("right",)).read("mocap_pos")[0]
    np.testing.assert_array_equal(places, [[1, 2, 3], [4.5, 5.5, 6.5]])
    turned = begun("mocap_quat", 0.3, mode="turn", elements=("left",)).read("mocap_quat")
    np.testing.assert_allclose(2 * np.arccos(turned[:, 0, 0]), 0.3, rtol=1e-3)
    np.testing.assert_array_equal(turned[:, 1], np.tile([1, 0, 0, 0], (NUM, 1)))


@pytest.mark.parametrize(
    ("field", "element", "expected"),
    [
        ("act", "slow", [0.5]),
        ("eq_active", "grip", [1]),
        ("qfrc_applied", "wrist", [*[0] * 9, 0.5]),
        ("xfrc_applied", "hand", [*[0] * 30, *[0.5] * 6]),
    ],
)
def test_fields_of_the_state_know_their_elements(field: str, element: str, expected: list[float]) -> None:
    value = 1 if field == "eq_active" else 0.5
    engine = begun(field, value, mode="set", elements=(element,))
    np.testing.assert_array_equal(np.ravel(engine.read(field)[0]), expected)


def test_the_time_at_the_start_may_differ() -> None:
    assert 0 <= begun("time", 0.0, 5.0, mode="offset").read("time").min() < 1


@pytest.mark.parametrize(
    ("field", "options", "message"),
    [
        ("opt.gravity", {"elements": ("box",)}, "opt.gravity is of no elements, got ['box']"),
        ("time", {"elements": ("box",)}, "time is of no elements, got ['box']"),
        ("qvel", {"elements": ()}, "qvel of which elements?, got []"),
        ("qvel", {"elements": ("wris",)}, "unknown joint of the model 'wris'; did you mean 'wrist'?"),
        ("eq_active", {"elements": ("gri",)}, "unknown equality of the model 'gri'; did you mean 'grip'?"),
        ("mocap_pos", {"elements": ("box",)}, "body 'box' has no mocap_pos"),
        ("act", {"elements": ("push",)}, "actuator 'push' has no act"),
        ("ctrl", {"elements": ("push",)}, "ctrl cannot be randomised: every decision sets it anew"),
        ("tendon_stiffness", {}, "tendon_stiffness cannot be randomised: the model has none"),
        ("mat_texid", {}, "mat_texid cannot be randomised: the model has none"),
        ("pair_friction", {}, "pair_friction cannot be randomised: the model has none"),
        ("userdata", {}, "userdata cannot be randomised: the model has none"),
        ("opt.gravity", {"columns": (3,)}, "opt.gravity has the columns 0 to 2, got 3"),
        ("qvel", {"columns": (1,)}, "qvel has the columns 0 to 0, got 1"),
        *(
            (field, {"mode": "turn"}, "turned by 0.5 to 0.5: only whole vectors and quaternions can be turned")
            for field in ("body_mass", "geom_size", "geom_rgba", "opt.viscosity", "qvel", "time")
        ),
        ("body_pos", {"mode": "turn", "columns": (0, 1)}, "only whole vectors and quaternions can be turned"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(field: str, options: dict[str, Any], message: str) -> None:
    assert message in refused(field, **options)


ORDERS = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <body name="bob"><joint name="ball" type="ball"/><geom name="bob" size="0.1"/></body>
    <body name="wheel" pos="1 0 0"><joint name="spin" axis="0 1 0"/><geom name="wheel" size="0.1"/></body>
  </worldbody>
  <actuator>
    <orientation name="aim" joint="ball" kp="10" kv="1"/>
    <motor name="turn" joint="spin" ctrlrange="-1 1"/>
  </actuator>
</mujoco>
"""


@pytest.mark.parametrize("field", ["actuator_gear", "actuator_ctrlrange"])
@pytest.mark.parametrize(("actuator", "rows"), [("aim", [0, 1, 2]), ("turn", [3])])
def test_an_actuator_beside_one_of_several_controls_goes_by_its_name(
    field: str, actuator: str, rows: list[int]
) -> None:
    table = rows_of(load_model(ORDERS), field, (actuator,))
    np.testing.assert_array_equal(table, rows)


def test_gains_have_a_row_for_each_actuator_however_many_controls_it_has() -> None:
    np.testing.assert_array_equal(rows_of(load_model(ORDERS), "actuator_gainprm", ("turn",)), [1])


def test_a_misspelt_actuator_beside_one_of_several_controls_is_named() -> None:
    with pytest.raises(UserError, match="unknown actuator of the model 'turnn'; did you mean 'turn'"):
        rows_of(load_model(ORDERS), "actuator_gear", ("turnn",))


@pytest.mark.parametrize("mode", ["offset", "set"])
def test_what_is_made_of_a_quaternion_is_a_rotation(mode: Any) -> None:
    quat = begun("body_quat", 0.2, 0.6, mode=mode, each=True, elements=("hand",)).own_values("body_quat")[:, 5]
    np.testing.assert_allclose(np.linalg.norm(quat, axis=1), 1, rtol=1e-12)
    assert np.ptp(quat, axis=0).min() > 0.05
