import copy

import mujoco
import numpy as np
import pytest
from mujoco import batch as mujoco_batch

from robossl.core import UnknownNameError, UserError
from robossl.envs.mujoco_engine import MujocoEngine, load_model
from robossl.envs.mujoco_fields import RANDOM_FIELDS, READABLE_FIELDS, RECORDABLE_FIELDS

XML = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="pillar" mocap="true" pos="2 0 0.1"><geom name="pillar" type="box" size="0.1 0.1 0.1"/></body>
    <body name="box" pos="0 0 0.12">
      <freejoint/>
      <geom name="box" type="box" size="0.1 0.1 0.1" mass="1"/>
      <site name="box" size="0.2"/>
    </body>
    <body name="ball" pos="2 0 0.6"><freejoint/><geom name="ball" type="sphere" size="0.05" mass="0.2"/></body>
    <body name="arm" pos="-2 0 1">
      <joint name="swing" axis="0 1 0" damping="0.1"/>
      <geom name="arm" type="capsule" fromto="0 0 0 0.5 0 0" size="0.04" mass="0.5"/>
      <site name="tip" pos="0.5 0 0"/>
    </body>
  </worldbody>
  <actuator><motor joint="swing" gear="2"/></actuator>
  <sensor>
    <framepos objtype="site" objname="tip"/>
    <velocimeter site="tip"/>
    <touch site="box"/>
    <accelerometer site="tip"/>
  </sensor>
</mujoco>
"""
SUBSTEPS = 5


@pytest.fixture(scope="module")
def model():
    return load_model(XML)


def engine_of(model, num_worlds=1, num_threads=1):
    return MujocoEngine(model, num_worlds, num_threads)


def scattered(engine, seed=0):
    """Gives every world (by its number) its own start."""
    num_worlds = engine.num_worlds
    noise = np.random.default_rng(seed).normal(size=(64, engine.model.nv))[:num_worlds]
    velocity = 0.5 * noise
    everyone = np.arange(num_worlds)
    engine.write("qvel", velocity, everyone)
    engine.forward()


def controls(num_steps, num_worlds, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (num_steps, 64, 1))[:, :num_worlds]


def reference(model, velocity, ctrl):
    """Steps one MjData and returns, after every substep, a second one with the forward pass of the new state."""
    data = mujoco.MjData(model)
    data.qvel[:] = velocity
    for _ in range(SUBSTEPS):
        data.ctrl[:] = ctrl
        mujoco.mj_step(model, data)
        current = copy.copy(data)
        mujoco.mj_forward(model, current)
        yield current


FIELDS = ("qpos", "xpos", "cvel", "site_xpos", "sensordata", "qacc", "ncon", "qfrc_constraint")


@pytest.mark.parametrize("name", FIELDS)
def test_after_a_step_what_is_read_is_current(model, name):
    engine = engine_of(model, 3)
    scattered(engine)
    velocity, ctrl = engine.read("qvel"), controls(1, 3)[0]
    engine.write("qvel", velocity, np.arange(3))
    engine.step(ctrl, SUBSTEPS)
    read = engine.read(name)
    assert read.dtype == np.float32
    for world in range(3):
        last = list(reference(model, velocity[world], ctrl[world]))[-1]
        np.testing.assert_array_equal(read[world], np.float32(getattr(last, name)))


@pytest.mark.parametrize("name", FIELDS)
def test_a_record_holds_the_value_before_every_substep(model, name):
    engine, other = engine_of(model, 2), engine_of(model, 2)
    for one in (engine, other):
        scattered(one)
        velocity, ctrl = one.read("qvel"), controls(1, 2)[0]
        one.write("qvel", velocity, np.arange(2))
        one.write("ctrl", ctrl, np.arange(2))
        one.forward()
    recorded = engine.step(ctrl, SUBSTEPS, (name,))[name]
    np.testing.assert_array_equal(recorded[:, 0], other.read(name))
    for world in range(2):
        after = [np.float32(getattr(data, name)) for data in reference(model, velocity[world], ctrl[world])]
        np.testing.assert_array_equal(recorded[world, 1:], after[:-1])
        np.testing.assert_array_equal(engine.read(name)[world], after[-1])


def test_some_worlds_can_be_asked_about_without_the_others(model):
    asked, everyone = engine_of(model, 4), engine_of(model, 4)
    everyone.read("sensordata")
    some = np.array([1, 3])
    for ctrl in controls(5, 4):
        for engine in (asked, everyone):
            scattered(engine, seed=int(100 * abs(ctrl[0, 0])))
            engine.step(ctrl, SUBSTEPS, ("ncon",))
        np.testing.assert_array_equal(asked.read("sensordata", some), everyone.read("sensordata")[some])
        asked.write("qvel", np.ones((1, model.nv)), some[:1])
        everyone.write("qvel", np.ones((1, model.nv)), some[:1])
        everyone.forward()
        np.testing.assert_array_equal(asked.read("sensordata", some), everyone.read("sensordata")[some])
    np.testing.assert_array_equal(asked.read("qpos", some), everyone.read("qpos")[some])


def test_a_contact_that_begins_in_the_last_substep_is_found(model):
    engine = engine_of(model)
    everyone = np.arange(1)
    engine.write("qpos", engine.read("qpos") + np.eye(1, model.nq, 2) * 1.0, everyone)  # the box hangs 1 m higher
    found = []
    for _ in range(10):
        found.append(engine.step(np.zeros((1, 1)), SUBSTEPS, ("ncon",))["ncon"][0, 1:])
        found.append(engine.read("ncon", everyone))
    found = np.concatenate(found)
    assert found[0] == 0
    assert found[-1] > 0
    single = engine_of(model)
    single.write("qpos", single.read("qpos") + np.eye(1, model.nq, 2) * 1.0, everyone)
    one_by_one = []
    for _ in range(10 * SUBSTEPS):
        single.step(np.zeros((1, 1)), 1)
        one_by_one.append(single.read("ncon")[0])
    np.testing.assert_array_equal(found, one_by_one)


def test_reading_and_recording_do_not_change_the_physics(model):
    plain, watched = engine_of(model, 2), engine_of(model, 2)
    for engine in (plain, watched):
        scattered(engine)
    for ctrl in controls(8, 2):
        plain.step(ctrl, SUBSTEPS)
        watched.step(ctrl, SUBSTEPS, ("sensordata", "qacc"))
        watched.read("qfrc_constraint")
    np.testing.assert_array_equal(plain.get_state(), watched.get_state())


def run(model, num_worlds, num_threads):
    """Steps with per-world friction, a partial reset and records; returns all that comes out of world 0."""
    engine = engine_of(model, num_worlds, num_threads)
    scattered(engine)
    friction = np.tile(model.geom_friction, (num_worlds, 1, 1))
    friction[:, :, 0] = np.linspace(0.2, 1.0, 64)[:num_worlds, None]
    engine.randomise("geom_friction", friction, np.arange(num_worlds))
    trace = []
    for index, ctrl in enumerate(controls(12, num_worlds)):
        recorded = engine.step(ctrl, SUBSTEPS, ("sensordata",))["sensordata"]
        if index == 5:
            ids = np.arange(0, num_worlds, 2)
            engine.reset(ids)
            engine.forward(ids)
        trace.append(np.concatenate([engine.get_state()[0], recorded[0].ravel(), engine.read("xpos")[0].ravel()]))
    return np.stack(trace)


@pytest.mark.parametrize(("num_worlds", "num_threads"), [(1, 2), (3, 1), (3, 2), (17, 1), (17, 2)])
def test_a_world_is_the_same_among_any_number_of_worlds_and_threads(model, num_worlds, num_threads):
    np.testing.assert_array_equal(run(model, num_worlds, num_threads), run(model, 1, 1))


def test_a_restored_state_continues_bit_for_bit(model):
    engine = engine_of(model, 3)
    scattered(engine)
    for ctrl in controls(4, 3):
        engine.step(ctrl, SUBSTEPS)
    state = engine.get_state()
    assert state.dtype == np.float64
    other = engine_of(model, 3)
    other.step(controls(1, 3)[0], SUBSTEPS)  # so that nothing is left from a fresh start
    other.set_state(state)
    np.testing.assert_array_equal(other.read("sensordata"), engine.read("sensordata"))
    for ctrl in controls(4, 3, seed=2):
        engine.step(ctrl, SUBSTEPS)
        other.step(ctrl, SUBSTEPS)
        np.testing.assert_array_equal(engine.get_state(), other.get_state())


def test_a_state_can_be_restored_in_some_worlds_only(model):
    engine = engine_of(model, 3)
    scattered(engine)
    before = engine.get_state()
    engine.step(controls(1, 3)[0], SUBSTEPS)
    after = engine.get_state()
    engine.set_state(before[[0, 2]], np.array([0, 2]))
    np.testing.assert_array_equal(engine.get_state(), np.stack([before[0], after[1], before[2]]))


def test_the_warm_start_of_the_solver_is_part_of_the_state(model):
    engine = engine_of(model)
    for _ in range(20):
        engine.step(np.zeros((1, 1)), SUBSTEPS)
    warm = engine.get_state()
    engine.write("qacc_warmstart", np.zeros((1, model.nv)), np.arange(1))
    assert not np.array_equal(engine.get_state(), warm)


def test_a_reset_is_that_of_mujoco(model):
    engine = engine_of(model, 2)
    scattered(engine)
    engine.step(controls(1, 2)[0], SUBSTEPS)
    kept = engine.get_state()[0]
    engine.reset(np.array([1]))
    engine.forward(np.array([1]))
    batch = mujoco_batch.Batch(model, 1, 1)
    batch.reset()
    np.testing.assert_array_equal(engine.get_state(), [kept, batch.state[0]])
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    np.testing.assert_array_equal(engine.read("xpos")[1], np.float32(data.xpos))


def test_what_is_read_is_a_copy(model):
    engine = engine_of(model)
    first = engine.read("xpos")
    before = first.copy()
    engine.write("qvel", np.ones((1, model.nv)), np.arange(1))
    engine.step(np.zeros((1, 1)), SUBSTEPS)
    np.testing.assert_array_equal(first, before)
    state = engine.get_state()
    engine.step(np.zeros((1, 1)), SUBSTEPS)
    assert not np.array_equal(engine.get_state(), state)


def test_a_world_of_nan_is_flagged_silently_and_harms_no_other(model, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    healthy, sick = engine_of(model, 3, 2), engine_of(model, 3, 2)
    for engine in (healthy, sick):
        scattered(engine)
    sick.write("qvel", np.full((1, model.nv), np.nan), np.array([1]))
    for ctrl in controls(3, 3):
        healthy.step(ctrl, SUBSTEPS)
        sick.step(ctrl, SUBSTEPS, ("sensordata",))
        np.testing.assert_array_equal(sick.diverged, [False, True, False])
    assert np.isnan(sick.read("qpos")[1]).any()
    np.testing.assert_array_equal(sick.get_state()[[0, 2]], healthy.get_state()[[0, 2]])
    sick.reset(np.array([1]))
    sick.forward(np.array([1]))
    assert not sick.diverged.any()
    sick.step(np.zeros((3, 1)), SUBSTEPS)
    assert not sick.diverged.any()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_world_that_flies_off_is_flagged(model):
    engine = engine_of(model, 2)
    engine.write("qvel", np.full((1, model.nv), 1e12), np.array([0]))
    engine.step(np.zeros((2, 1)), SUBSTEPS)
    np.testing.assert_array_equal(engine.diverged, [True, False])


@pytest.mark.parametrize("record", [(), ("ncon",)])
def test_an_error_of_mujoco_in_one_world_leaves_the_others_running(model, record):
    healthy, sick = engine_of(model, 3), engine_of(model, 3)
    sick.batch.expand("opt.integrator")[1] = 99
    for engine in (healthy, sick):
        scattered(engine)
        engine.step(np.zeros((3, 1)), SUBSTEPS, record)
    np.testing.assert_array_equal(sick.diverged, [False, True, False])
    np.testing.assert_array_equal(sick.get_state()[[0, 2]], healthy.get_state()[[0, 2]])


def test_jacobians_are_those_of_mujoco(model):
    engine = engine_of(model, 3)
    scattered(engine)
    engine.step(controls(1, 3)[0], SUBSTEPS)
    body, tip = model.body("arm").id, model.site("tip").id
    point = engine.read("site_xpos")[:, tip]
    translation, rotation = engine.jac(body, point)
    some, _ = engine.jac(body, point[[0, 2]], np.array([0, 2]))
    np.testing.assert_array_equal(some, translation[[0, 2]])
    data = mujoco.MjData(model)
    for world in range(3):
        mujoco.mj_setState(model, data, engine.get_state()[world], mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(model, data)
        jacp, jacr = np.zeros((2, 3, model.nv))
        mujoco.mj_jac(model, data, jacp, jacr, np.float64(point[world]), body)
        np.testing.assert_array_equal(translation[world], np.float32(jacp))
        np.testing.assert_array_equal(rotation[world], np.float32(jacr))


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


def test_a_field_without_structure_is_not_random(model):
    for field in ("geom_type", "body_parentid", "body_invweight0", "tex_data"):
        with pytest.raises(UnknownNameError):
            engine_of(model).randomise(field, np.zeros((1, 1)), np.arange(1))


def test_an_unknown_field_is_named_with_the_nearest(model):
    engine = engine_of(model)
    with pytest.raises(UnknownNameError, match="'sensordat'; did you mean 'sensordata'"):
        engine.read("sensordat")
    with pytest.raises(UnknownNameError, match="'qpo'; did you mean 'qpos'"):
        engine.write("qpo", 0.0, np.arange(1))
    with pytest.raises(UnknownNameError, match="field to record 'time'"):
        engine.step(np.zeros((1, 1)), SUBSTEPS, ("time",))


def test_every_known_field_is_one_that_mujoco_has(model):
    engine = engine_of(model, 2)
    for field in sorted(RANDOM_FIELDS):
        engine.batch.expand(field)
    engine.step(np.zeros((2, 1)), 2, tuple(sorted(RECORDABLE_FIELDS)))
    for field in sorted(READABLE_FIELDS):
        assert engine.read(field).shape[0] == 2


@pytest.mark.parametrize(
    "source", ["<mujoco><worldbody><geom typ='x'/></worldbody></mujoco>", "<mujoco", "/nowhere/at_all.xml"]
)
def test_a_model_that_does_not_compile_is_one_line(source):
    with pytest.raises(UserError, match="cannot be compiled: ") as error:
        load_model(source)
    assert "\n" not in str(error.value)


def test_the_callers_model_is_left_as_it_was(model):
    flags = model.opt.disableflags
    engine_of(model)
    assert model.opt.disableflags == flags
