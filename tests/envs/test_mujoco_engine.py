import copy

import mujoco
import numpy as np
import pytest
from engine_toys import SUBSTEPS, XML, controls, engine_of, num_threads, scattered
from mujoco import batch as mujoco_batch

from robossl.core import UnknownNameError, UserError
from robossl.envs.engine import MAX_SPEED
from robossl.envs.mujoco_fields import RANDOM_FIELDS, READABLE_FIELDS, RECORDABLE_FIELDS
from robossl.envs.mujoco_model import load_model


@pytest.fixture(scope="module")
def model():
    return load_model(XML)


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


def test_what_is_written_again_to_the_same_worlds_is_followed(model):
    engine, ids = engine_of(model, 3), np.arange(3)
    heights = []
    for height in (1.0, 2.0, 3.0):
        pose = engine.read("qpos")
        pose[:, 2] = height
        engine.write("qpos", pose, ids)
        engine.forward(ids)
        heights.append(engine.read("xpos", ids)[0, model.body("box").id, 2])
    assert heights == [1.0, 2.0, 3.0]


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


def test_a_reset_to_values_is_one_with_what_is_written_after_it(model):
    engine, other, ids = engine_of(model, 3), engine_of(model, 3), np.array([2, 0])
    scattered(engine), scattered(other)
    velocity, place = np.full((2, model.nv), 0.25), np.arange(6.0).reshape(2, 1, 3)
    engine.reset(ids, ("qvel", "mocap_pos"), np.hstack([velocity, place[:, 0]]))
    other.reset(ids)
    other.write("qvel", velocity, ids)
    other.write("mocap_pos", place, ids)
    for one in (engine, other):
        one.forward(ids)
    np.testing.assert_array_equal(engine.get_state(), other.get_state())
    np.testing.assert_array_equal(engine.read("geom_xpos"), other.read("geom_xpos"))
    with pytest.raises(UnknownNameError, match="qvle"):
        engine.reset(ids, ("qvle",), velocity)
    for values in (velocity[:1], velocity[:, :1], velocity[0], None):
        with pytest.raises(ValueError, match="qvel: "):
            engine.reset(ids, ("qvel",), values)
    with pytest.raises(IndexError):
        engine.reset(np.array([3]), ("qvel",), velocity[:1])
    np.testing.assert_array_equal(engine.get_state(), other.get_state())


def test_a_closed_engine_that_is_still_held_has_no_threads(model):
    before = num_threads()
    engine = engine_of(model, 4, 4)
    scattered(engine)
    engine.step(np.zeros((4, 1)), SUBSTEPS, ("sensordata",))
    engine.scan(np.zeros((4, 3)), np.eye(3)[None], np.eye(3), np.arange(4))
    assert num_threads() > before
    for _ in range(2):
        engine.close()
        assert num_threads() == before
    assert engine.model.nq == model.nq


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


def test_a_place_that_is_not_finite_is_flagged_though_no_step_changes_it(model):
    engine = engine_of(model, 3)
    for written in (0, 2):
        engine.step(np.zeros((3, 1)), 1)
        assert not engine.diverged.any()
        engine.write("mocap_pos", np.full((1, 1, 3), np.nan), np.array([written]))
        engine.step(np.zeros((3, 1)), 1)
        np.testing.assert_array_equal(engine.diverged, np.arange(3) == written)
        engine.reset(np.array([written]))
        engine.forward(np.array([written]))


def test_what_a_step_changes_takes_it_back(model):
    engine = engine_of(model, 3)
    scattered(engine)
    first, second = controls(2, 3)
    engine.step(first, SUBSTEPS)
    whole = engine.get_state()
    engine.keep(whole=False)
    assert engine._kept.shape[1] < whole.shape[1]
    engine.step(second, SUBSTEPS)
    engine.take_back(np.array([1]))
    assert (engine.get_state() == whole).all(axis=1).tolist() == [False, True, False]


def test_a_world_that_flies_off_is_flagged(model):
    engine = engine_of(model, 2)
    engine.write("qvel", np.full((1, model.nv), 1e12), np.array([0]))
    engine.step(np.zeros((2, 1)), SUBSTEPS)
    np.testing.assert_array_equal(engine.diverged, [True, False])


def test_a_world_that_is_written_too_fast_is_flagged_though_it_slows_down_within_the_step():
    model = load_model(
        '<mujoco><worldbody><body><joint type="slide" damping="1e5"/><geom size="0.1"/></body></worldbody></mujoco>'
    )
    engine = engine_of(model, 3)
    engine.write("qvel", np.full((1, 1), 2 * MAX_SPEED), np.array([1]))
    engine.reset(np.array([2]), ("qvel",), np.full((1, 1), 2 * MAX_SPEED))
    engine.forward()
    engine.step(np.zeros((3, 0)), 50)
    assert np.abs(engine.read("qvel")).max() < 1
    np.testing.assert_array_equal(engine.diverged, [False, True, True])
    engine.reset(np.array([1, 2]))
    engine.forward()
    engine.step(np.zeros((3, 0)), 1)
    assert not engine.diverged.any()


def test_a_world_whose_energy_explodes_is_flagged_and_reset_alone(model):
    healthy, sick = engine_of(model, 3), engine_of(model, 3)
    for engine in (healthy, sick):
        scattered(engine)
    ball = model.body("ball").dofadr[0]
    speeds = sick.read("qvel")[:2]
    speeds[:, ball + 2] = [MAX_SPEED / 2, 2 * MAX_SPEED]  # upwards, without contact: nothing MuJoCo would warn about
    sick.write("qvel", speeds, np.array([0, 1]))
    for ctrl in controls(2, 3):
        healthy.step(ctrl, 1)
        sick.step(ctrl, 1)
        np.testing.assert_array_equal(sick.diverged, [False, True, False])
    np.testing.assert_array_equal(sick.get_state()[2], healthy.get_state()[2])
    kept = sick.get_state()
    sick.reset(np.array([1]))
    sick.forward(np.array([1]))
    np.testing.assert_array_equal(sick.get_state()[[0, 2]], kept[[0, 2]])
    sick.step(np.zeros((3, 1)), 1)
    assert not sick.diverged.any()


@pytest.mark.parametrize("record", [(), ("ncon",)])
def test_an_error_of_mujoco_in_one_world_leaves_the_others_running(model, record):
    healthy, sick = engine_of(model, 3), engine_of(model, 3)
    sick.batch.expand("opt.integrator")[1] = 99
    for engine in (healthy, sick):
        scattered(engine)
        engine.step(np.zeros((3, 1)), SUBSTEPS, record)
    np.testing.assert_array_equal(sick.diverged, [False, True, False])
    np.testing.assert_array_equal(sick.get_state()[[0, 2]], healthy.get_state()[[0, 2]])


@pytest.mark.parametrize("record", [(), ("ncon",)])
def test_an_error_of_mujoco_that_the_model_brings_is_told(model, record):
    broken = copy.copy(model)
    broken.opt.integrator = 99
    engine = engine_of(broken, 2)
    with pytest.raises(UserError, match=r"MuJoCo cannot simulate this model: .*integrator"):
        engine.step(np.zeros((2, 1)), SUBSTEPS, record)


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
