"""Model values that differ between worlds, and models that make no engine."""

import mujoco
import numpy as np
import pytest
from engine_toys import SUBSTEPS, XML, controls, engine_of

from robossl.core import UnknownNameError, UserError
from robossl.envs.mujoco_model import load_model


@pytest.fixture(scope="module")
def model():
    return load_model(XML)


def test_a_body_with_a_new_mass_moves_as_if_compiled_with_it(model):
    engine = engine_of(model, 2)
    arm = model.body("arm").id
    masses = np.tile(model.body_mass, (2, 1))
    for mass in (7.0, 1.3):  # what was set before leaves no trace
        masses[1, arm] = mass
        engine.randomise("body_mass", masses, np.arange(2))
    heavy = load_model(XML.replace('mass="0.5"', 'mass="1.3"'))
    expected = [engine_of(model), engine_of(heavy)]
    for ctrl in controls(20, 1):
        engine.step(np.repeat(ctrl, 2, axis=0), SUBSTEPS)
        for single in expected:
            single.step(ctrl, SUBSTEPS)
    swing = model.joint("swing").qposadr[0]
    angles = engine.read("qpos")[:, swing]
    np.testing.assert_allclose(angles, [single.read("qpos")[0, swing] for single in expected], rtol=1e-5)
    assert abs(angles[0] - angles[1]) > 0.01
    np.testing.assert_allclose(engine.batch.expanded("body_invweight0")[1, arm], heavy.body_invweight0[arm], rtol=1e-10)


def test_a_mocap_body_of_another_size_is_solid_where_it_is_seen(model):
    engine = engine_of(model, 2)
    sizes = np.tile(model.geom_size, (2, 1, 1))
    pillar = model.geom("pillar").id
    sizes[1, pillar, 2] = 0.3  # reaches from -0.2 to 0.4
    engine.randomise("geom_size", sizes, np.arange(2))
    for _ in range(60):
        engine.step(np.zeros((2, 1)), SUBSTEPS)
    height = engine.read("xpos")[:, model.body("ball").id, 2]
    np.testing.assert_allclose(height, [0.2 + 0.05, 0.4 + 0.05], atol=2e-3)
    depth, geom = engine.batch.ray([2.05, 0.08, 1.0], [0.0, 0.0, -1.0])
    np.testing.assert_allclose(depth[:, 0], [0.8, 0.6], atol=1e-12)
    np.testing.assert_array_equal(geom[:, 0], pillar)


def test_the_place_of_a_moving_geom_is_refused_by_name(model):
    engine = engine_of(model, 2)
    values = np.tile(model.geom_pos, (2, 1, 1))
    values[1, model.geom("box").id] += 0.1
    with pytest.raises(UserError, match="geom_pos of geom 'box' cannot be randomised: its body moves"):
        engine.randomise("geom_pos", values, np.arange(2))


def test_the_size_of_a_body_of_several_geoms_is_refused_by_name():
    xml = "<mujoco><worldbody><body><freejoint/><geom name='a' size='.1'/><geom size='.2'/></body></worldbody></mujoco>"
    two = load_model(xml)
    with pytest.raises(UserError, match="geom_size of geom 'a' cannot be randomised: its body moves"):
        engine_of(two).randomise("geom_size", 2 * two.geom_size[None], np.arange(1))


@pytest.mark.parametrize("order", [("geom_size", "body_mass"), ("body_mass", "geom_size")])
@pytest.mark.parametrize("kind", ["sphere", "capsule", "ellipsoid", "cylinder", "box"])
def test_the_inertia_of_a_moving_body_follows_its_size_and_mass_as_if_compiled_so(kind, order):
    def compiled(size, mass):
        geom = f"<geom type='{kind}' size='{size} {1.4 * size} {0.7 * size}' mass='{mass}'/>"
        return load_model(f"<mujoco><worldbody><body><freejoint/>{geom}</body></worldbody></mujoco>")

    before, after = compiled(0.1, 2.0), compiled(0.15, 3.0)
    engine = engine_of(before, 2)
    for field in order:
        engine.randomise(field, getattr(after, field)[None], np.array([1]))
    engine.forward()
    np.testing.assert_allclose(engine.batch.expanded("body_inertia")[1], after.body_inertia, rtol=1e-9)
    np.testing.assert_allclose(engine.batch.expanded("body_inertia")[0], before.body_inertia, rtol=1e-12)
    np.testing.assert_allclose(engine.batch.get_model(1).body_invweight0, after.body_invweight0, rtol=1e-9)


@pytest.mark.parametrize("kind", ["sphere", "capsule", "ellipsoid", "cylinder", "box"])
def test_bounds_follow_a_greater_size_as_if_compiled_so(kind):
    def compiled(size):
        geom = f"<geom type='{kind}' size='{size} {1.4 * size} {0.7 * size}'/>"
        return load_model(f"<mujoco><worldbody><body mocap='true'>{geom}</body></worldbody></mujoco>")

    before, after = compiled(0.1), compiled(0.3)
    engine = engine_of(before, 2)
    assert engine.own_values("geom_size") is None
    engine.randomise("geom_size", after.geom_size[None], np.array([1]))
    engine.forward()
    for field in ("geom_rbound", "geom_aabb", "bvh_aabb"):
        np.testing.assert_allclose(getattr(engine.batch.get_model(1), field), getattr(after, field), rtol=1e-9)
        np.testing.assert_allclose(getattr(engine.batch.get_model(0), field), getattr(before, field), rtol=1e-12)
    np.testing.assert_array_equal(engine.own_values("geom_size"), [before.geom_size, after.geom_size])


def test_model_values_are_what_was_randomised_and_only_that(model):
    engine = engine_of(model, 3)
    assert engine.model_values() == {}
    rgba = np.random.default_rng(0).uniform(size=(2, model.ngeom, 4)).astype(np.float32)
    engine.randomise("geom_rgba", rgba, np.array([0, 2]))
    engine.randomise("body_mass", 2.0 * model.body_mass[None], np.array([1]))
    values = engine.model_values()
    assert set(values) == {"geom_rgba", "body_mass"}
    np.testing.assert_array_equal(values["geom_rgba"], [rgba[0], model.geom_rgba, rgba[1]])
    values["geom_rgba"][:] = 0
    np.testing.assert_array_equal(engine.model_values()["geom_rgba"][0], rgba[0])


@pytest.mark.parametrize(("field", "near"), [("geom_frictoin", "geom_friction"), ("actuator_ger", "actuator_gear")])
def test_a_field_that_cannot_be_randomised_is_named_with_the_nearest(model, field, near):
    with pytest.raises(UnknownNameError, match=f"{field}.*; did you mean '{near}'"):
        engine_of(model).randomise(field, np.zeros((1, 1)), np.arange(1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(model, value):
    engine = engine_of(model, 2)
    with pytest.raises(UserError, match=r"geom_friction .* not finite"):
        engine.randomise("geom_friction", np.full((1, model.ngeom, 3), value), np.array([1]))
    assert engine.model_values() == {}


def test_a_moving_body_without_mass_is_refused():
    slider = load_model("<mujoco><worldbody><body><joint type='slide'/><geom size='.1'/></body></worldbody></mujoco>")
    engine = engine_of(slider, 3)
    engine.randomise("body_mass", np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([0, 2]))
    with pytest.raises(UserError, match=r"the model values of world 2 make no model: .*\S"):
        engine.forward()


def test_values_that_would_make_no_model_are_refused_before_they_are_given():
    slider = load_model("<mujoco><worldbody><body><joint type='slide'/><geom size='.1'/></body></worldbody></mujoco>")
    engine = engine_of(slider, 2)
    heavy, none = np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    engine.require_state(engine.get_state(), {"body_mass": heavy})
    with pytest.raises(UserError, match=r"the model values of world 1 make no model: .*\S"):
        engine.require_state(engine.get_state(), {"body_mass": none})
    assert engine.model_values() == {}
    engine.forward()


def test_a_field_without_structure_is_not_random(model):
    for field in ("geom_type", "body_parentid", "body_invweight0", "tex_data"):
        with pytest.raises(UnknownNameError):
            engine_of(model).randomise(field, np.zeros((1, 1)), np.arange(1))


@pytest.mark.parametrize(
    "source",
    [
        "<mujoco><worldbody><geom typ='x'/></worldbody></mujoco>",
        "<mujoco",
        "/nowhere/at_all.xml",
        "<mujoco><worldbody><body pos='0 nan 0'><freejoint/><geom size='0.1'/></body></worldbody></mujoco>",
        "<mujoco><option timestep='-0.01'/></mujoco>",
    ],
)
def test_a_model_that_does_not_compile_is_one_line(source):
    with pytest.raises(UserError, match="cannot be compiled: ") as error:
        load_model(source)
    assert "\n" not in str(error.value)


def test_the_callers_model_is_left_as_it_was(model):
    flags = model.opt.disableflags
    engine_of(model)
    assert model.opt.disableflags == flags


def test_what_no_batch_can_simulate_is_refused_in_one_line():
    sleepy = load_model('<mujoco><option><flag sleep="enable"/></option></mujoco>')
    with pytest.raises(UserError, match="cannot be simulated in many worlds: sleep"):
        engine_of(sleepy)


def test_a_model_that_mujoco_warns_of_leaves_no_log(tmp_path, monkeypatch, capfd):
    mujoco.set_mju_user_warning(None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not all are numbers in"):
        load_model('<mujoco><worldbody><body pos="nan 0 0"><geom size="1"/></body></worldbody></mujoco>')
    assert capfd.readouterr() == ("", "")
    assert not [*tmp_path.iterdir()]
