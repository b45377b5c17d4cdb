"""Bullet against what is known exactly, and against MuJoCo."""

import gc

import mujoco
import numpy as np
import pytest

from robossl.core import UnknownNameError, UserError
from robossl.envs.mujoco_engine import MujocoEngine, load_model

pytest.importorskip("pybullet")
from robossl.envs.bullet.engine import BulletEngine
from robossl.envs.bullet.library import pybullet

GRAVITY = 9.81
MIXED = """
<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="pillar" mocap="true" pos="2 0 0.1"><geom name="pillar" type="box" size="0.1 0.1 0.1"/></body>
    <body name="box" pos="0 0 0.12"><freejoint/><geom name="box" type="box" size="0.1 0.1 0.1" mass="1"/></body>
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
    <contact name="floor" geom1="floor" num="2" data="found"/>
  </sensor>
</mujoco>
"""
# Turned inertias, joints off their bodies' origins, two joints on a body, a body without a joint, a branch.
TREE = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.001"/>
  <worldbody>
    <body pos="1 2 3" quat="0.8 0.1 -0.2 0.3">
      <body name="a" pos="0.1 0.2 1" quat="0.9 0.1 0.3 -0.2">
        <joint name="a1" axis="0 0.6 0.8" pos="0.05 0.02 0.01" ref="0.3" {joint}/>
        <joint name="a2" type="slide" axis="1 0 0" pos="0.05 0.02 0.01"/>
        <inertial pos="0.1 -0.05 0.2" mass="2" fullinertia="0.03 0.025 0.02 0.004 -0.003 0.002"/>
        <body name="b" pos="0.3 0.1 -0.2" quat="0.5 0.5 -0.5 0.5" gravcomp="{gravcomp}">
          <joint name="b" axis="1 0 0" pos="0 0.1 0" {joint}/>
          <inertial pos="0.02 0.07 0.1" mass="1.3" fullinertia="0.013 0.015 0.01 0.002 0.001 -0.003"/>
          <body name="fixed" pos="0 0.1 0.1" quat="0.2 0.5 0.1 0.3">
            <inertial pos="0.02 0.07 0.1" mass="0.3" fullinertia="0.013 0.015 0.01 0.002 0.001 -0.003"/>
            <body name="c" pos="0 0.2 0.1" quat="0.7 -0.2 0.1 0.3">
              <joint name="c" type="{last}" pos="0.02 0 0.03"/>
              <inertial pos="-0.05 0.1 0.03" mass="0.7" fullinertia="0.006 0.007 0.005 0.001 0.0005 -0.0007"/>
            </body>
          </body>
        </body>
        <body name="d" pos="-0.3 0.1 0.2">
          <joint name="d" axis="0 1 0"/>
          <inertial pos="0.02 0.07 0.1" mass="0.3" fullinertia="0.013 0.015 0.01 0.002 0.001 -0.003"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


def world(body: str, *, option: str = 'timestep="0.002"', rest: str = ""):
    return load_model(f"<mujoco><option {option}/><worldbody>{body}</worldbody>{rest}</mujoco>")


def tree(last="hinge", joint="", gravcomp=0):
    return load_model(TREE.format(last=last, joint=joint, gravcomp=gravcomp))


def both(model, num_worlds=1):
    return MujocoEngine(model, num_worlds, 1), BulletEngine(model, num_worlds, 1)


def write(engine, **fields):
    ids = np.arange(engine.num_worlds)
    for name, values in fields.items():
        engine.write(name, values, ids)
    engine.forward()


def scattered(model, num_worlds, seed=0, scale=0.3):
    """Returns random positions [N, nq] and velocities [N, nv]; those of a world do not depend on how many there are."""
    noise = np.random.default_rng(seed).normal(size=(8, 2, model.nv))
    qpos = np.tile(model.qpos0, (num_worlds, 1))
    for row, step in zip(qpos, scale * noise[:, 0], strict=False):
        mujoco.mj_integratePos(model, row, step, 1.0)
    return qpos, noise[:num_worlds, 1]


def run(engine, num_steps, ctrl=None, substeps=1):
    ctrl = np.zeros((engine.num_worlds, engine.model.nu)) if ctrl is None else ctrl
    for _ in range(num_steps):
        engine.step(ctrl, substeps)
    return engine


def test_a_body_falls_as_galilei_says():
    model = world('<body pos="0 0 9"><freejoint/><geom size="0.1" mass="3"/></body>')
    engine = BulletEngine(model, 1, 1)
    write(engine, qvel=[[1.0, 0, 0, 0, 0, 0]])
    run(engine, 250)
    t, h = 0.5, 0.002
    np.testing.assert_allclose(engine.read("qpos")[0, 0], t, atol=1e-5)
    np.testing.assert_allclose(
        engine.read("qpos")[0, 2], 9 - 0.5 * GRAVITY * t * (t + h), atol=1e-5
    )  # the scheme's own
    np.testing.assert_allclose(engine.read("qvel")[0, 2], -GRAVITY * t, atol=1e-5)


def test_a_pendulum_has_its_period_and_keeps_its_energy():
    length, start = 0.7, 0.02
    model = world(
        f'<body pos="0 0 2"><joint axis="0 1 0"/><geom pos="0 0 -{length}" size="0.01" mass="1"/></body>',
        option='timestep="0.0005"',
    )
    engine = BulletEngine(model, 1, 1)
    write(engine, qpos=[[start]])
    angles = engine.step(np.zeros((1, 0)), 4000, ("qpos",))["qpos"][0, :, 0]
    crossings = np.flatnonzero((angles[:-1] < 0) & (angles[1:] >= 0))
    inertia = length**2 + 0.4 * 0.01**2
    expected = 2 * np.pi * np.sqrt(inertia / (GRAVITY * length)) * (1 + start**2 / 16)
    np.testing.assert_allclose(crossings[0] * 0.0005, 0.75 * expected, atol=1e-3)
    np.testing.assert_allclose(angles.max(), start, rtol=1e-3)


def test_bullet_and_nothing_else_moves_the_bodies(monkeypatch):
    engine = BulletEngine(load_model(MIXED), 1, 1)
    start = engine.get_state()
    monkeypatch.setattr("robossl.envs.bullet.world.BulletWorld.step", lambda world: None)
    run(engine, 1, np.ones((1, 1)), substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[0], start[0, 1 : 1 + engine.model.nq], atol=1e-7)
    assert engine.get_state()[0, 0] > start[0, 0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"last": "ball"},
        {"joint": 'damping="0.5" armature="0.2" stiffness="3"'},
        {"last": "ball", "joint": 'damping="0.5"', "gravcomp": 0.7},
    ],
    ids=str,
)
def test_a_tree_moves_as_in_mujoco(options):
    model = tree(**options)
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST.value
    engines = both(model, 2)
    qpos, qvel = scattered(model, 2)
    for engine in engines:
        write(engine, qpos=qpos, qvel=qvel)
        run(engine, 1, substeps=200)
    expected, found = (engine.get_state() for engine in engines)
    columns = slice(1, 1 + model.nq + model.nv)
    assert np.abs(expected[:, columns] - np.concatenate([qpos, qvel], axis=1)).max() > 0.3
    np.testing.assert_allclose(found[:, columns], expected[:, columns], atol=1e-9)


def test_the_joint_space_inertia_is_mujocos():
    model = tree()
    engine = BulletEngine(model, 1, 1)
    qpos, _ = scattered(model, 1)
    write(engine, qpos=qpos)
    data, expected = mujoco.MjData(model), np.zeros((model.nv, model.nv))
    data.qpos[:] = qpos[0]
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, expected)
    found = engine.mass_matrix(0, world=0)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_arms_inertia_is_mujocos():
    from robossl.envs.tasks.arm_push import ArmPush

    model = ArmPush().build_model()
    engine = BulletEngine(model, 1, 1)
    data, expected = mujoco.MjData(model), np.zeros((model.nv, model.nv))
    data.qpos[:7] = 0.3 * np.arange(7) - 1.0
    write(engine, qpos=data.qpos[None])
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, expected)
    found = engine.mass_matrix(0, world=0)
    np.testing.assert_allclose(found, expected[:7, :7] - np.diag(model.dof_armature[:7]), atol=1e-12)


@pytest.mark.parametrize("pushed", [False, True])
def test_a_free_body_off_its_centre_tumbles_as_in_mujoco_the_more_so_the_finer_the_step(pushed):
    body = """<body quat="0.9 0.1 0.3 -0.2"><freejoint/>
      <inertial pos="0.1 -0.05 0.2" mass="2" fullinertia="0.03 0.025 0.02 0.004 -0.003 0.002"/></body>"""
    errors = []
    for step, count in ((0.001, 50), (0.0001, 500)):
        model = world(body, option=f'timestep="{step}"')
        engines = both(model)
        _, qvel = scattered(model, 1)
        force = np.zeros((1, 2, 6))
        force[0, 1] = [1, -2, 3, 0.3, -0.1, 0.2] if pushed else 0
        for engine in engines:
            write(engine, qvel=qvel, xfrc_applied=force)
            run(engine, 1, substeps=count)
        errors.append(np.abs(engines[0].read("qvel") - engines[1].read("qvel")).max())
    assert errors[0] < 2e-3
    assert errors[1] < errors[0] / 5


@pytest.mark.parametrize("friction", [0.2, 0.5])
def test_a_block_slides_as_far_as_coulomb_says(friction):
    speed = 1.5
    model = world(
        '<geom type="box" size="5 5 0.5" pos="0 0 -0.5" friction="0.1"/>'
        '<body pos="0 0 0.05"><freejoint/>'
        f'<geom type="box" size="0.1 0.1 0.05" mass="2" friction="{friction}"/></body>',
    )
    engine = BulletEngine(model, 1, 1)
    write(engine, qvel=[[speed, 0, 0, 0, 0, 0]])
    run(engine, 100, substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[0, 0], speed**2 / (2 * friction * GRAVITY), rtol=0.02)
    np.testing.assert_allclose(engine.read("qvel")[0], 0, atol=2e-3)


@pytest.mark.parametrize(
    ("geom", "height"),
    [
        ('type="sphere" size="0.1"', 0.1),
        ('type="box" size="0.1 0.15 0.2"', 0.2),
        ('type="capsule" size="0.1 0.2" euler="0 90 0"', 0.1),
        ('type="cylinder" size="0.1 0.15"', 0.15),
        ('type="cylinder" size="0.1 0.15" pos="0 0 0.03" euler="90 0 0"', 0.07),
        ('type="ellipsoid" size="0.2 0.15 0.1"', 0.1),
        ('type="mesh" mesh="wedge"', None),
    ],
)
@pytest.mark.parametrize("ground", ["plane", "box"])
def test_every_shape_comes_to_rest_where_it_does_in_mujoco(geom, height, ground):
    floor = {"plane": 'type="plane" size="5 5 0.1"', "box": 'type="box" size="5 5 1" pos="0 0 -1"'}[ground]
    model = world(
        f'<geom {floor}/><body pos="0 0 0.22"><freejoint/><geom {geom} mass="1"/></body>',
        rest='<asset><mesh name="wedge" vertex="0 0 0 0.3 0 0 0 0.3 0 0.3 0.3 0 0.1 0.1 0.2"/></asset>',
    )
    mujoco_engine, engine = both(model)
    for one in (mujoco_engine, engine):
        run(one, 100, substeps=10)
    found = engine.read("qpos")[0, 2]
    np.testing.assert_allclose(found, mujoco_engine.read("qpos")[0, 2], atol=2e-3)
    if height is not None:
        np.testing.assert_allclose(found, height, atol=2e-3)


def test_a_joint_stops_at_its_limit():
    model = world(
        '<body pos="0 0 2"><joint axis="0 1 0" range="-40 30" limited="true"/>'
        '<geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.03" mass="1"/></body>'
    )
    engine = run(BulletEngine(model, 1, 1), 100, substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[0, 0], np.deg2rad(30), atol=0.01)


def test_dry_friction_of_a_joint_holds_and_lets_go():
    torque = 0.25 * GRAVITY
    body = (
        '<body pos="{x} 0 2"><joint axis="0 1 0" frictionloss="{loss}"/>'
        '<geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.03" mass="1" contype="0"/></body>'
    )
    model = world(body.format(x=0, loss=1.05 * torque) + body.format(x=2, loss=0.8 * torque))
    engine = run(BulletEngine(model, 1, 1), 50, substeps=10)
    assert abs(engine.read("qpos")[0, 0]) < 1e-6
    assert engine.read("qpos")[0, 1] > 0.3


def test_servos_come_to_rest_where_their_law_says():
    arm = (
        '<body pos="{x} 0 2"><joint name="j{x}" axis="0 1 0" damping="0.2" armature="0.05"/>'
        '<geom type="capsule" fromto="0 0 0 0 0 -0.5" size="0.03" mass="1" contype="0"/></body>'
    )
    model = world(
        "".join(arm.format(x=x) for x in range(3)),
        rest='<actuator><position joint="j0" kp="20" kv="2"/><motor joint="j1" gear="3" ctrlrange="-0.5 0.5"/>'
        '<velocity joint="j2" kv="5" forcerange="-8 8"/></actuator>',
    )
    engine = run(BulletEngine(model, 1, 1), 400, np.array([[0.8, 0.9, 1.0]]), substeps=10)
    servo, motor, _ = engine.read("qpos")[0]
    weight = 0.25 * GRAVITY
    np.testing.assert_allclose(20 * (0.8 - servo), weight * np.sin(servo), rtol=1e-4)
    np.testing.assert_allclose(3 * 0.5, weight * np.sin(motor), rtol=5e-3)  # the control is clipped to its range
    np.testing.assert_allclose(engine.read("qvel")[0, 2], 1.0, atol=0.5)


def test_a_servo_pushes_an_obstacle_with_all_its_force():
    """The law's prediction knows what contacts do, or a joint with armature would push far too little."""
    model = world(
        '<body><joint name="j" type="slide" axis="1 0 0" armature="5" damping="1"/>'
        '<geom type="box" size="0.1 0.1 0.1" mass="0.5"/></body>'
        '<body pos="0.2 0 0"><joint type="slide" axis="1 0 0" stiffness="1000" damping="20"/>'
        '<geom type="box" size="0.1 0.1 0.1" mass="0.5"/></body>',
        option='timestep="0.005" gravity="0 0 0"',
        rest='<actuator><motor joint="j"/></actuator>',
    )
    engine = run(BulletEngine(model, 1, 1), 200, np.array([[30.0]]), substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[0, 1], 30 / 1000, rtol=0.01)


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


def test_contacts_are_found_in_the_substep_in_which_they_begin():
    model = load_model(MIXED)
    engine = BulletEngine(model, 1, 1)
    assert engine.read("sensordata")[0, 3:].tolist() == [0, 0]
    found = engine.step(np.zeros((1, 1)), 60, ("sensordata", "qpos"))
    touching = found["sensordata"][0, :, 3] > 0
    low = found["qpos"][0, :, 2] <= 0.1
    assert touching.any()
    assert not touching.all()
    assert np.flatnonzero(touching)[0] == np.flatnonzero(low)[0]
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


def test_a_world_of_nan_is_flagged_and_harms_no_other_and_recovers():
    model = load_model(MIXED)
    healthy, sick = BulletEngine(model, 3, 1), BulletEngine(model, 3, 1)
    sick.write("qvel", np.full((1, model.nv), np.nan), np.array([1]))
    sick.write("qvel", np.full((1, model.nv), 1e11), np.array([2]))
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


@pytest.mark.parametrize(
    ("body", "rest", "message"),
    [
        ('<body><joint name="j" type="ball" range="0 1" limited="true"/><geom size="1"/></body>', "", "joint 'j'"),
        ('<body><freejoint/><geom name="g" size="1" margin="0.1"/></body>', "", "geom 'g'"),
        (
            '<body name="a"><joint name="x"/><geom size="1"/></body><body><joint name="y"/><geom size="1"/></body>',
            '<equality><joint name="same" joint1="x" joint2="y"/></equality>',
            "equality 'same'",
        ),
        (
            '<body><joint/><geom size="1"/><site name="s"/></body>',
            '<sensor><accelerometer name="imu" site="s"/></sensor>',
            "sensor 'imu'",
        ),
        (
            '<body name="b"><joint/><geom size="1"/></body>',
            '<sensor><contact name="push" body1="b" data="force"/></sensor>',
            "sensor 'push'",
        ),
        (
            '<body mocap="true"><body><joint name="j"/><geom size="1"/></body></body>',
            "",
            "joint 'j'",
        ),
        (
            '<body><joint name="j"/><geom size="1"/></body>',
            '<tendon><fixed name="t" limited="true" range="0 1"><joint joint="j" coef="1"/></fixed></tendon>',
            "tendon 't'",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(body, rest, message):
    with pytest.raises(UserError, match=f"engine bullet: {message} cannot be translated: ") as error:
        BulletEngine(world(body, rest=rest), 1, 1)
    assert "\n" not in str(error.value)


def test_frictions_that_no_factors_give_are_refused_by_the_names_of_the_geoms():
    geoms = "".join(
        f'<body pos="{i} 0 1"><freejoint/><geom name="g{i}" size="0.1" friction="{friction}"/></body>'
        for i, friction in enumerate((0.2, 0.5, 0.9, 0.3))
    )
    with pytest.raises(UserError, match=r"the sliding friction .* between geoms 'g\d' and 'g\d' cannot be translated"):
        BulletEngine(world(geoms), 1, 1)


def test_what_only_mujocos_contacts_give_is_refused_by_name():
    engine = BulletEngine(load_model(MIXED), 1, 1)
    with pytest.raises(UnknownNameError, match="qfrc_constraint"):
        engine.read("qfrc_constraint")
    with pytest.raises(UnknownNameError, match="ncon"):
        engine.step(np.zeros((1, 1)), 1, ("ncon",))
    with pytest.raises(UnknownNameError, match="geom_size"):
        engine.randomise("geom_size", engine.model.geom_size[None], np.arange(1))


def test_more_worlds_than_there_is_room_for_are_refused():
    with pytest.raises(UserError, match="room for 1000 worlds, not for 1001"):
        BulletEngine(load_model(MIXED), 1001, 1)


def test_an_engine_that_is_forgotten_frees_its_clients() -> None:
    engine = BulletEngine(load_model(MIXED), 2, 1)
    clients = [world._client["physicsClientId"] for world in engine._worlds]
    assert all(pybullet.isConnected(client) for client in clients)
    del engine
    gc.collect()
    assert not any(pybullet.isConnected(client) for client in clients)
