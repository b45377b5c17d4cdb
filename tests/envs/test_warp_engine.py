"""Engine `warp` against `MujocoEngine`: the same scene, numbers of half the precision."""

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

import torch
import warp_toys
from engine_toys import controls
from warp_toys import MODEL, NEEDS_GPU, SUBSTEPS, both, drive, engine_of, scattered

from robossl.core import UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.engine import MAX_SPEED
from robossl.envs.engines import make_engine
from robossl.envs.host import on_host
from robossl.envs.mujoco_model import load_model
from robossl.envs.warp.fields import RANDOM_FIELDS, READABLE_FIELDS, RECORDABLE_FIELDS

FIELDS = ("qpos", "xpos", "xmat", "cvel", "site_xpos", "sensordata", "qacc", "qfrc_constraint", "nefc")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NEEDS_GPU)], autouse=True)
def device(request, monkeypatch):
    """Runs each test on the processor, and on a GPU."""
    monkeypatch.setattr(warp_toys, "device", request.param)
    return request.param


def close(actual, expected, **tolerance):
    """Compares with float32's precision of the greatest number."""
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(on_host(actual), expected, rtol=0, **{"atol": 2e-5 * scale, **tolerance})


def test_without_friction_a_thing_lies_still(device):
    config = EnvConfig(id="robossl/ArmPush-v0", num_worlds=8, engine="warp", device=device, randomise={"friction": 0.0})
    env = make_env(config, WorldSeed(seed=1))
    env.reset()
    assert not env.step(np.zeros((8, 3), np.float32)).info["diverged"].any()
    block = env.task.build_model().geom("block_box").id
    assert (env.model_values()["geom_friction"][:, block, 0] == 0).all()  # what was drawn is what is told
    env.close()


def test_after_a_step_what_is_read_is_what_mujoco_has_then():
    warp, mujoco = both(3)
    scattered(warp, mujoco)
    for engine in (warp, mujoco):
        drive(engine, 3)
    for name in FIELDS:
        values = warp.read(name)
        assert isinstance(values, torch.Tensor)
        assert values.dtype == torch.float32
        close(values, mujoco.read(name))
        close(warp.read(name, np.array([2, 0])), mujoco.read(name)[[2, 0]])
        assert warp.read(name, np.arange(0)).shape == (0, *mujoco.read(name).shape[1:])


def test_a_record_holds_the_value_before_every_substep():
    warp, mujoco = both()
    scattered(warp, mujoco)
    recorded, expected = (drive(engine, 4, ("qpos", "xpos", "sensordata")) for engine in (warp, mujoco))
    for ours, theirs in zip(recorded, expected, strict=True):
        for name, values in theirs.items():
            close(ours[name], values)
    assert any(step["sensordata"][..., 6].any() for step in expected), "no ball ever touched anything"


def test_what_is_read_is_a_copy_and_reading_changes_nothing():
    plain, watched = engine_of(2), engine_of(2)
    scattered(plain, watched)
    first = watched.read("xpos")
    before = first.clone()
    drive(plain, 3)
    drive(watched, 3, ("sensordata", "qacc"))
    watched.read("qfrc_constraint")
    assert torch.equal(first, before)
    drive(plain, 3)
    drive(watched, 3)
    np.testing.assert_array_equal(plain.get_state(), watched.get_state())


def traced(num_worlds):
    """Steps with per-world friction and a partial reset; returns all that comes out of world 0."""
    engine = engine_of(num_worlds)
    scattered(engine)
    friction = np.tile(MODEL.geom_friction, (num_worlds, 1, 1))
    friction[:, :, 0] = np.linspace(0.2, 1.0, 64)[:num_worlds, None]
    engine.randomise("geom_friction", friction, np.arange(num_worlds))
    trace = []
    for _ in range(2):
        for recorded in drive(engine, 4, ("sensordata",)):
            trace.append(recorded["sensordata"][0].ravel())
        engine.reset(np.arange(1, num_worlds, 2))
        trace.append(engine.get_state()[0])
    return np.concatenate(trace)


def test_a_world_is_the_same_among_any_number_of_worlds():
    alone = traced(1)
    for num_worlds in (2, 5):
        np.testing.assert_array_equal(traced(num_worlds), alone)


def test_a_reset_to_values_is_that_of_mujoco():
    warp, mujoco = both(3)
    ids = np.array([2, 0])
    for engine in (warp, mujoco):
        scattered(engine)
        engine.reset(ids, ("mocap_pos", "qvel"), np.arange(2.0 * (3 + MODEL.nv)).reshape(2, -1))
    np.testing.assert_array_equal(warp.get_state(), np.float32(mujoco.get_state()))


def test_states_go_from_engine_to_engine_and_continue_alike():
    warp, mujoco = both(3)
    scattered(mujoco)
    drive(mujoco, 4)
    state = mujoco.get_state()
    warp.set_state(state)
    np.testing.assert_array_equal(warp.get_state(), np.float32(state))
    some = np.array([2, 0])
    drive(warp, 1)
    warp.set_state(state[some], some)
    np.testing.assert_array_equal(warp.get_state()[some], np.float32(state[some]))
    warp.set_state(state)
    for engine in (warp, mujoco):
        drive(engine, 2)
    close(warp.get_state(), mujoco.get_state(), atol=5e-3)


def test_a_reset_is_that_of_mujoco_and_of_its_worlds_alone():
    warp, mujoco = both()
    scattered(warp, mujoco)
    drive(warp, 2)
    kept = warp.get_state()[0]
    warp.reset(np.array([1]))
    mujoco.reset(np.array([1]))
    np.testing.assert_array_equal(warp.get_state(), [kept, np.float32(mujoco.get_state()[1])])


@pytest.mark.parametrize("value", [np.nan, 1e12, 2 * MAX_SPEED])
def test_a_world_that_diverges_is_flagged_and_harms_no_other(value):
    healthy, sick = engine_of(3), engine_of(3)
    scattered(healthy, sick)
    sick.write("qvel", np.full((1, MODEL.nv), value), np.array([1]))
    for _ in range(2):
        drive(healthy, 2)
        drive(sick, 2, ("sensordata",))
        np.testing.assert_array_equal(sick.diverged, [False, True, False])
    np.testing.assert_array_equal(sick.get_state()[[0, 2]], healthy.get_state()[[0, 2]])
    sick.reset(np.array([1]))
    drive(sick, 1)
    assert not sick.diverged.any()


def test_jacobians_and_rays_are_those_of_mujoco():
    warp, mujoco = both(3)
    scattered(warp, mujoco)
    for engine in (warp, mujoco):
        drive(engine, 1)
    body, point, some = MODEL.body("arm").id, mujoco.read("site_xpos")[:, 0], np.array([0, 2])
    for ours, theirs in zip(warp.jac(body, point), mujoco.jac(body, point), strict=True):
        close(ours, theirs)
    close(warp.jac(body, point[some], some)[0], mujoco.jac(body, point[some], some)[0])
    direction = np.random.default_rng(0).normal(size=(30, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    start, turns = np.array([[0.0, 0.0, 0.5]] * 2), np.array([np.eye(3), np.roll(np.eye(3), 1, axis=0)])
    for least_m in (0.0, 0.4):
        options = {"hidden_body": body, "least_m": least_m}
        expected = mujoco.scan(start, turns, direction, some, **options)
        assert 0.3 < (expected > 0).mean() < 0.7
        close(warp.scan(start, turns, direction, some, **options), expected, atol=1e-4)


def changed(field, element, column, value):
    values = np.tile(np.float64(getattr(MODEL, field)), (2, *[1] * getattr(MODEL, field).ndim))
    values[(1, element, column) if column is not None else (1, element)] = value
    return values


@pytest.mark.parametrize(
    ("field", "element", "column", "value"),
    [
        ("body_mass", MODEL.body("arm").id, None, 1.3),
        ("geom_size", MODEL.geom("pillar").id, 2, 0.15),
        ("geom_pos", MODEL.geom("floor").id, 2, -0.5),
        ("dof_damping", 6, None, 2.0),
        ("actuator_gear", 0, 0, 5.0),
    ],
)
def test_what_follows_from_a_model_value_is_what_follows_in_mujoco(field, element, column, value):
    warp, mujoco = both()
    for engine in (warp, mujoco):
        engine.randomise(field, changed(field, element, column, value), np.arange(2))
        drive(engine, 12)
    expected = mujoco.read("qpos")
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    close(warp.read("qpos"), expected, atol=2e-4)
    np.testing.assert_array_equal(warp.model_values()[field], mujoco.model_values()[field])
    where = np.array([[2.05, 0.08, 1.0]] * 2), np.stack([np.eye(3)] * 2), np.array([[0.0, 0.0, -1.0]]), np.arange(2)
    close(warp.scan(*where), mujoco.scan(*where), atol=1e-5)


@pytest.mark.parametrize(("field", "values"), [("opt.viscosity", [0.0, 3.0]), ("opt.density", [0.0, 300.0])])
def test_a_fluid_that_the_compiled_model_lacks_acts_as_in_mujoco(field, values):
    warp, mujoco = both()
    for engine in (warp, mujoco):
        engine.randomise(field, np.array(values), np.arange(2))
        drive(engine, 4)
    expected = mujoco.read("qvel")
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    close(warp.read("qvel"), expected, atol=1e-3)


def test_commands_can_be_late():
    late = [DelayedEngine(engine, delay=7, num_substeps=SUBSTEPS) for engine in both()]
    states = []
    for engine in late:
        recorded = drive(engine, 6, ("ctrl",))
        states.append(engine.get_state())
        assert sum((step["ctrl"][0] == 0).sum() for step in recorded) == 7
    close(states[0], states[1], atol=1e-3)


def test_what_cannot_be_done_is_refused_by_name():
    engine = engine_of()
    with pytest.raises(UnknownNameError, match="field of the warp engine 'ncon'"):
        engine.read("ncon")
    with pytest.raises(UnknownNameError, match="'qpo'; did you mean 'qpos'"):
        engine.write("qpo", 0.0, np.arange(1))
    with pytest.raises(UnknownNameError, match="field to record 'time'"):
        engine.step(controls(1, 1)[0], SUBSTEPS, ("time",))
    with pytest.raises(UnknownNameError, match=r"the warp engine can randomise 'opt\.impratio'"):
        engine.randomise("opt.impratio", np.ones(1), np.arange(1))
    with pytest.raises(UnknownNameError, match=r"the warp engine can randomise 'opt\.impratio'"):
        engine.require_state(engine.get_state(), {"opt.impratio": np.ones(1)})
    with pytest.raises(UserError, match=r"geom_pos of geom 'ball' cannot be randomised: its body moves"):
        engine.randomise("geom_pos", MODEL.geom_pos[None] + 0.1, np.arange(1))
    with pytest.raises(UserError, match=r"cannot run this model: the integrator RK4"):
        make_engine("warp", load_model("<mujoco><option integrator='RK4'/></mujoco>"), 1, 1)
    with pytest.raises(UserError, match=r"cannot run this model: .*flag 'sleep'"):
        make_engine("warp", load_model("<mujoco><option><flag sleep='enable'/></option></mujoco>"), 1, 1)
    with pytest.raises(UserError, match=r"cannot run this model: .*PGS"):
        make_engine("warp", load_model("<mujoco><option solver='PGS'/></mujoco>"), 1, 1)


def test_a_device_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match="engine warp: there is no device 'cuda:77' here; there is cpu"):
        make_engine("warp", MODEL, 1, 1, "cuda:77")
    with pytest.raises(UserError, match=r"env\.device: engine mujoco runs on the processor, not on 'cuda'"):
        make_engine("mujoco", MODEL, 1, 1, "cuda")


def test_every_known_field_is_one_that_warp_has():
    engine = engine_of(2)
    for field in sorted(RANDOM_FIELDS):
        assert engine.worlds.expanded(field) is not None, field
    engine.step(np.zeros((2, 1)), 1, tuple(sorted(RECORDABLE_FIELDS)))
    for field in sorted(READABLE_FIELDS):
        assert engine.read(field).shape[0] == 2


@pytest.mark.parametrize("count", [1, 2])
def test_what_lies_in_packed_records_can_be_written(count):
    engine = engine_of(3)
    records = np.zeros(count, np.dtype([("flag", "u1"), ("qvel", "f8", MODEL.nv)]))
    records["qvel"] = np.arange(count * MODEL.nv).reshape(count, -1)
    engine.write("qvel", records["qvel"], np.arange(count))
    np.testing.assert_array_equal(on_host(engine.read("qvel", np.arange(count))), records["qvel"])
