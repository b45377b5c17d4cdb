"""N worlds of Bullet: contacts, state, resets, model values, room."""

import numpy as np
import pytest

from robossl.core import UserError
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.engine import MAX_SPEED
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.straight_lines import StraightLines

pytest.importorskip("pybullet")
import gc

from bullet_scenes import GRAVITY, MIXED, both, run, scattered, world, write

from robossl.envs.bullet.engine import BulletEngine
from robossl.envs.bullet.library import pybullet


def test_welds_hold_bodies_as_in_mujoco():
    free = '<inertial pos="0.02 0.07 0.1" mass="0.3" fullinertia="0.013 0.015 0.01 0.002 0.001 -0.003"/></body>'
    model = world(
        f'<body name="arm" pos="0.2 0 1" quat="0.9 0.1 0.3 -0.2"><joint axis="0 1 0" damping="0.1"/>{free}'
        f'<body name="held" pos="0.5 0.1 1" quat="0.8 -0.1 0.3 -0.2"><freejoint/>{free}'
        f'<body name="hung" pos="0.5 0.4 1" quat="0.8 -0.1 0.3 -0.2"><freejoint/>{free}'
        '<body name="hand" mocap="true" pos="0.3 0.4 2" quat="0.5 0.1 0 0.2"/>',
        option='timestep="0.001" integrator="implicitfast"',
        rest='<equality><weld body1="arm" body2="held" anchor="0.1 0.05 0" solref="0.005 1"/>'
        '<weld body1="hand" body2="hung" solref="0.005 1"/></equality>',
    )
    engines = both(model)
    for engine in engines:
        run(engine, 1, substeps=300)
    expected, found = (engine.read("qpos") for engine in engines)
    assert abs(expected[0, 0]) > 0.2
    np.testing.assert_allclose(found, expected, atol=3e-3)


def test_a_weld_without_torque_lets_a_body_turn():
    angles = []
    for scale in (0, 1):
        model = world(
            '<body name="rod" pos="0 0 1"><freejoint/>'
            '<geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.02" mass="1"/></body>',
            rest=f'<equality><weld body1="rod" anchor="0 0 1" torquescale="{scale}"/></equality>',
        )
        angles += [run(engine, 20, substeps=10).read("qpos")[0, 5] for engine in both(model)]
    np.testing.assert_allclose(angles[1], angles[0], atol=5e-3)
    assert angles[0] > 0.8
    assert angles[3] < 0.1


def test_a_weld_follows_what_is_fixed_to_a_mocap_body():
    model = world(
        '<body mocap="true" pos="0 0 1"><body name="finger" pos="0.2 0 0"/></body>'
        '<body name="held" pos="0.2 0 1"><freejoint/><geom size="0.05" mass="1"/></body>',
        rest='<equality><weld body1="finger" body2="held"/></equality>',
    )
    engine = BulletEngine(model, 1, 1)
    for step in range(50):
        write(engine, mocap_pos=[[[0.01 * step, 0, 1]]])
        run(engine, 1, substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[0, :3], [0.69, 0, 1], atol=0.03)


def test_a_delayed_sensor_tells_of_the_substep_that_it_should():
    model = world(
        '<body><joint name="j" axis="0 1 0"/><geom pos="0.5 0 0" size="0.1"/></body>',
        rest='<sensor><jointpos joint="j" delay="0.05" nsample="50"/>'
        '<jointpos joint="j" interval="0.03 0" nsample="3"/></sensor>',
    )
    found = []
    for engine in both(model):
        engine.read("sensordata")
        found.append(run(engine, 12, substeps=17).read("sensordata"))
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    assert (engine.read("qpos") - found[0] > 0.05).all()


def test_energies_are_those_of_the_state():
    body = '<body><joint axis="0 1 0"/><geom pos="0.5 0 0" size="0.1"/></body>'
    rest = "<sensor><e_potential/><e_kinetic/></sensor>"
    switch = '<option><flag energy="enable"/></option>'
    plain, switched = (
        run(BulletEngine(world(body, rest=rest + more), 1, 1), 5, substeps=10).read("sensordata")
        for more in ("", switch)
    )
    np.testing.assert_array_equal(switched, plain)


def test_only_pairs_that_mujoco_lets_touch_do():
    model = world(
        '<geom name="floor" type="plane" size="5 5 1" contype="1" conaffinity="1"/>'
        '<body name="seen" pos="0 0 0.2"><freejoint/><geom size="0.1" contype="1" conaffinity="0"/></body>'
        '<body name="unseen" pos="1 0 0.2"><freejoint/><geom size="0.1" contype="2" conaffinity="2"/></body>'
        '<body name="excluded" pos="2 0 0.2"><freejoint/><geom size="0.1"/></body>',
        rest='<contact><exclude body1="world" body2="excluded"/></contact>',
    )
    engine = run(BulletEngine(model, 1, 1), 50, substeps=10)
    heights = engine.read("qpos")[0, 2::7]
    np.testing.assert_allclose(heights[0], 0.1, atol=2e-3)
    assert (heights[1:] < -1).all()


def test_a_mocap_body_is_solid_where_it_is_put():
    model = load_model(MIXED)
    engine = BulletEngine(model, 2, 1)
    engine.write("mocap_pos", np.array([[[2, 0, 0.3]], [[3, 0, 0.1]]]), np.arange(2))
    engine.forward()
    run(engine, 50, substeps=10)
    np.testing.assert_allclose(engine.read("xpos")[:, model.body("ball").id, 2], [0.45, 0.05], atol=2e-3)


def test_contacts_are_found_in_the_substep_that_closes_the_gap():
    model = load_model(MIXED)
    engine = BulletEngine(model, 1, 1)
    assert engine.read("sensordata")[0, 3:].tolist() == [0, 0]
    found = engine.step(np.zeros((1, 1)), 60, ("sensordata", "qpos"))
    touching = found["sensordata"][0, :, 3] > 0
    low = found["qpos"][0, :, 2] <= 0.1
    assert touching.any()
    assert not touching.all()
    assert np.flatnonzero(touching)[0] == np.flatnonzero(low)[0] - 1  # that substep closes the gap
    assert touching[np.flatnonzero(touching)[0] :].all()
    assert engine.read("sensordata")[0, 3] > 0
    assert engine.read("sensordata", np.arange(1))[0, 3] > 0
    positions = [run(BulletEngine(model, 1, 1), 1, substeps=count).read("site_xpos")[0, 0] for count in (1, 30)]
    np.testing.assert_array_equal(found["sensordata"][0, [1, 30], :3], positions)


def test_recording_does_not_change_the_physics():
    model = load_model(MIXED)
    plain, watched = BulletEngine(model, 1, 1), BulletEngine(model, 1, 1)
    for _ in range(5):
        plain.step(np.ones((1, 1)), 20)
        watched.step(np.ones((1, 1)), 20, ("sensordata", "xpos"))
    np.testing.assert_array_equal(plain.get_state(), watched.get_state())


def test_a_partial_reset_touches_nobody_else_and_forgets_everything():
    model = load_model(MIXED)
    engine, other, fresh = BulletEngine(model, 3, 1), BulletEngine(model, 3, 1), BulletEngine(model, 1, 1)
    qpos, qvel = scattered(model, 3, scale=0.05)
    for one in (engine, other):
        write(one, qpos=qpos, qvel=qvel)
        run(one, 5, np.ones((3, 1)), substeps=20)
    engine.reset(np.array([1]))
    engine.forward(np.array([1]))
    for one in (engine, other):
        run(one, 5, np.ones((3, 1)), substeps=20)
    run(fresh, 5, np.ones((1, 1)), substeps=20)
    np.testing.assert_array_equal(engine.get_state()[[0, 2]], other.get_state()[[0, 2]])
    columns = slice(1, None)  # all but the time
    np.testing.assert_array_equal(engine.get_state()[1, columns], fresh.get_state()[0, columns])


def test_a_push_moves_no_other_world_and_no_other_tree():
    model = load_model(MIXED)
    qpos, qvel = scattered(model, 2, scale=0.05)
    states = []
    for strength in (0.0, 1.0):
        engine = BulletEngine(model, 2, 1)
        write(engine, qpos=qpos, qvel=qvel)
        force = np.zeros((1, model.nbody, 6))
        force[0, model.body("ball").id, 0] = strength
        engine.write("xfrc_applied", force, np.array([0]))
        engine.forward()
        states.append(run(engine, 2, np.ones((2, 1)), substeps=10).get_state())
    calm, pushed = states
    np.testing.assert_array_equal(pushed[1], calm[1])
    ball = 1 + model.jnt_qposadr[model.body("ball").jntadr[0]]
    box = 1 + model.jnt_qposadr[model.body("box").jntadr[0]]
    assert pushed[0, ball] - calm[0, ball] > 1e-5
    np.testing.assert_array_equal(pushed[0, box : box + 7], calm[0, box : box + 7])


@pytest.mark.parametrize("stays", [True, False])
def test_laws_hold_in_the_world_that_is_given_them_for_as_long_as_it_has_them(stays):
    model = load_model(MIXED)
    engine, plain = BulletEngine(model, 2, 1), BulletEngine(model, 2, 1)
    qpos, qvel = scattered(model, 2, scale=0.05)
    damping = model.dof_damping[None] + np.eye(model.nv)[:1]
    engine.randomise("dof_damping", damping, np.array([0]))
    run(engine, 1, np.ones((2, 1)))
    if not stays:
        engine.randomise("dof_damping", model.dof_damping[None], np.array([0]))
    for one in (engine, plain):
        one.reset(np.arange(2))
        write(one, qpos=qpos, qvel=qvel)
        run(one, 2, np.ones((2, 1)), substeps=10)
    np.testing.assert_array_equal(engine.get_state()[1], plain.get_state()[1])
    assert np.array_equal(engine.get_state()[0], plain.get_state()[0]) == (not stays)


def test_a_restored_state_continues_bit_for_bit():
    model = load_model(MIXED)
    engine, other = BulletEngine(model, 2, 1), BulletEngine(model, 2, 1)
    qpos, qvel = scattered(model, 2, scale=0.05)
    write(engine, qpos=qpos, qvel=qvel)
    engine.view("sensordata"), other.view("sensordata")
    run(engine, 6, np.ones((2, 1)), substeps=20)
    run(other, 3, substeps=20)
    other.set_state(engine.get_state())
    for _ in range(5):
        np.testing.assert_array_equal(engine.read("sensordata"), other.read("sensordata"))
        np.testing.assert_array_equal(engine.get_state(), other.get_state())
        run(engine, 1, substeps=20)
        run(other, 1, substeps=20)


@pytest.mark.parametrize("looks_at", ["qpos", "sensordata"])
@pytest.mark.parametrize(("delay", "is_led"), [(3, False), (0, True)])
def test_a_decision_in_parts_is_the_decision(looks_at, delay, is_led):
    model = load_model(MIXED)
    whole = BulletEngine(model, 2, 1)
    lines = StraightLines(2, 1, num_led=1, steps=20) if is_led else None
    parts = DelayedEngine(BulletEngine(model, 2, 1), delay=delay, num_substeps=20, lines=lines)
    qpos, qvel = scattered(model, 2, scale=0.05)
    for engine in (whole, parts):
        write(engine, qpos=qpos, qvel=qvel, ctrl=np.ones((2, 1)))
        engine.view(looks_at)
    for _ in range(20):
        found, expected = (engine.step(np.ones((2, 1)), 20, ("sensordata",)) for engine in (parts, whole))
        np.testing.assert_array_equal(found["sensordata"], expected["sensordata"])
        np.testing.assert_array_equal(parts.view(looks_at), whole.view(looks_at))
    np.testing.assert_array_equal(parts._engine.get_state(), whole.get_state())


def test_a_decision_that_is_broken_off_leaves_nothing_behind():
    model = load_model(MIXED)
    engine, fresh = BulletEngine(model, 2, 1), BulletEngine(model, 2, 1)
    qpos, qvel = scattered(model, 2, scale=0.05)
    write(engine, qpos=qpos, qvel=qvel)
    state = run(engine, 20, substeps=20).get_state()
    engine.step(np.ones((2, 1)), 20, more=True)
    for one in (engine, fresh):
        one.set_state(state)
        run(one, 2, substeps=20)
    np.testing.assert_array_equal(engine.get_state(), fresh.get_state())


def test_a_world_of_nan_is_flagged_and_harms_no_other_and_recovers():
    model = load_model(MIXED)
    healthy, sick = BulletEngine(model, 3, 1), BulletEngine(model, 3, 1)
    sick.write("qvel", np.full((1, model.nv), np.nan), np.array([1]))
    sick.write("qvel", np.full((1, model.nv), 2 * MAX_SPEED), np.array([2]))
    run(healthy, 2, substeps=10)
    sick.step(np.zeros((3, 1)), 10)
    np.testing.assert_array_equal(sick.diverged, [False, True, True])
    sick.reset(np.array([1, 2]))
    sick.forward(np.array([1, 2]))
    sick.step(np.zeros((3, 1)), 10)
    assert not sick.diverged.any()
    np.testing.assert_array_equal(sick.get_state()[0], healthy.get_state()[0])
    run(healthy, 1, substeps=10)
    fresh = run(BulletEngine(model, 1, 1), 1, substeps=10).get_state()
    np.testing.assert_array_equal(sick.get_state()[1:, 1:], fresh[[0, 0], 1:])


def test_a_world_that_is_written_too_fast_is_flagged_though_it_slows_down_within_the_step():
    model = world('<body><joint type="slide" damping="1e5"/><geom size="0.1"/></body>')
    engine = BulletEngine(model, 3, 1)
    engine.write("qvel", np.full((1, 1), 2 * MAX_SPEED), np.array([1]))
    engine.reset(np.array([2]), ("qvel",), np.full((1, 1), 2 * MAX_SPEED))
    engine.step(np.zeros((3, 0)), 50)
    assert np.abs(engine.read("qvel")).max() < 1
    np.testing.assert_array_equal(engine.diverged, [False, True, True])


@pytest.mark.parametrize(("field", "value"), [("qvel", 1e308), ("qfrc_applied", np.inf), ("qacc_warmstart", np.inf)])
@pytest.mark.filterwarnings("error")
def test_a_world_diverges_without_a_word_of_numpys(field, value):
    engine = BulletEngine(load_model(MIXED), 2, 1)
    engine.view("sensordata")
    engine.write(field, np.full((1, engine.model.nv), value), np.array([1]))
    engine.forward()
    engine.step(np.zeros((2, 1)), 5, ("sensordata", "qvel"))
    np.testing.assert_array_equal(engine.diverged, [False, True])


def test_masses_and_frictions_differ_between_worlds():
    model = world(
        '<geom name="floor" type="box" size="5 5 0.5" pos="0 0 -0.5"/>'
        '<body name="block" pos="0 0 0.05"><freejoint/>'
        '<geom name="block" type="box" size="0.1 0.1 0.05" mass="2" priority="1"/></body>',
    )
    engine = BulletEngine(model, 2, 1)
    friction, mass = np.tile(model.geom_friction, (2, 1, 1)), np.tile(model.body_mass, (2, 1))
    friction[:, model.geom("block").id, 0] = [0.2, 0.4]
    mass[1, model.body("block").id] = 4.0
    engine.randomise("geom_friction", friction, np.arange(2))
    engine.randomise("body_mass", mass, np.arange(2))
    engine.write("qvel", np.tile([1.0, 0, 0, 0, 0, 0], (2, 1)), np.arange(2))
    engine.forward()
    run(engine, 60, substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[:, 0], 1 / (2 * GRAVITY * np.array([0.2, 0.4])), rtol=0.03)
    force = np.zeros((2, 2, 6))
    force[:, 1, 2] = 10 * GRAVITY
    before = engine.read("qvel")[:, 2]
    write(engine, xfrc_applied=force)
    run(engine, 1, substeps=10)
    expected = (10 / np.array([2, 4]) - 1) * GRAVITY * 0.02
    np.testing.assert_allclose(engine.read("qvel")[:, 2] - before, expected, rtol=0.01)


def test_more_worlds_than_there_is_room_for_are_refused():
    with pytest.raises(UserError, match="PyBullet holds at most 1000 worlds in a process, not 1001"):
        BulletEngine(load_model(MIXED), 1001, 1)


def test_an_engine_can_be_closed_twice() -> None:
    engine = BulletEngine(load_model(MIXED), 2, 2)
    engine.close()
    engine.close()


def test_an_engine_that_is_forgotten_frees_its_clients() -> None:
    engine = BulletEngine(load_model(MIXED), 2, 1)
    clients = [world._client["physicsClientId"] for world in (engine._bullet[0], engine._bullet[1])]
    assert all(pybullet.isConnected(client) for client in clients)
    del engine
    gc.collect()
    assert not any(pybullet.isConnected(client) for client in clients)


def test_sizes_differ_between_worlds_as_in_mujoco():
    model = load_model(MIXED)
    engine, other = BulletEngine(model, 3, 1), MujocoEngine(model, 3, 1)
    pillar, box, ball = (model.geom(name).id for name in ("pillar", "box", "ball"))
    sizes = np.repeat(model.geom_size[None], 2, axis=0)
    sizes[1, box, :], sizes[1, ball, 0], sizes[1, pillar, 2] = (0.2, 0.1, 0.15), 0.1, 0.3
    for physics in (engine, other):
        physics.randomise("geom_size", sizes, np.array([0, 2]))
        write(physics, qpos=np.tile(model.qpos0 + np.eye(model.nq)[2] * 0.1 + np.eye(model.nq)[9] * 0.2, (3, 1)))
        run(physics, 20, np.zeros((3, 1)), substeps=50)
    heights, expected = (physics.read("qpos")[:, [2, 9]] for physics in (engine, other))
    np.testing.assert_allclose(heights, expected, atol=2e-3)
    np.testing.assert_allclose(heights, [[0.1, 0.25], [0.1, 0.25], [0.15, 0.5]], atol=2e-3)  # on floor and pillar
    fresh = BulletEngine(model, 1, 1)
    write(fresh, qpos=model.qpos0[None] + np.eye(model.nq)[2] * 0.1 + np.eye(model.nq)[9] * 0.2)
    run(fresh, 20, np.zeros((1, 1)), substeps=50)
    np.testing.assert_array_equal(fresh.get_state()[0], engine.get_state()[1])
