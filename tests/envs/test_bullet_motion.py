"""Bullet's motion against what is known exactly, and against MuJoCo."""

import mujoco
import numpy as np
import pytest

from robossl.envs.mujoco_model import load_model

pytest.importorskip("pybullet")

from bullet_scenes import GRAVITY, MIXED, both, chain, run, scattered, tree, world, write

from robossl.envs.bullet.engine import BulletEngine
from robossl.envs.bullet.library import pybullet


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


_FIXED_TENDON = '<tendon><fixed name="t" {}><joint joint="hinge" coef="1"/></fixed></tendon>'


@pytest.mark.parametrize(
    ("joint", "rest"),
    [
        ('damping="0 1"', ""),
        ('stiffness="0 0 20"', ""),
        ('range="-0.3 0.3" limited="true" margin="0.1"', ""),
        ("", _FIXED_TENDON.format('damping="0 1"')),
        ("", _FIXED_TENDON.format('stiffness="0 0 20"')),
        ("", '<actuator><motor joint="hinge" gear="3" armature="0.1"/></actuator>'),
        ("", '<actuator><pid joint="hinge" kp="20" ki="5" kv="1"/></actuator>'),
        ("", '<actuator><motor joint="ball" gear="1 2 0" armature="0.1"/></actuator>'),
        ("", '<actuator><motor joint="ball" gear="2 1 0" armature="0.1"/></actuator>'),
        ("", '<actuator><motor jointinparent="ball" gear="0 2 0" armature="0.1"/></actuator>'),
        ("", '<actuator><orientation joint="ball" kp="10" kv="1"/></actuator>'),
    ],
)
def test_what_a_joint_or_a_tendon_or_an_actuator_adds_moves_a_body_as_in_mujoco(joint, rest):
    rod = '<geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.02" mass="1" contype="0" conaffinity="0"/></body>'
    ball = f'<body pos="0 1 0"><joint name="ball" type="ball"/>{rod}'
    swings = []
    for law, other in (("", ""), (joint, rest)):
        hinge = f'<body><joint name="hinge" axis="0 1 0" {law}/>{rod}'
        option = 'timestep="0.002" integrator="implicitfast"'
        for engine in both(world(hinge + ball, option=option, rest=f'<compiler angle="radian"/>{other}')):
            run(engine, 20, np.full((1, engine.model.nu), -0.5), substeps=10)
            swings.append(engine.read("qpos"))
    plain, _, expected, found = swings
    assert np.abs(expected - plain).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_a_rotor_follows_the_gear_of_its_world():
    model = world(
        '<body><joint name="j" axis="0 1 0"/><geom pos="0.5 0 0" size="0.1" mass="1"/></body>',
        rest='<actuator><motor joint="j" gear="2" armature="0.2"/></actuator>',
    )
    angles = []
    for engine in both(model, 2):
        engine.randomise("actuator_gear", 2 * model.actuator_gear[None], np.array([1]))
        angles.append(run(engine, 20, np.ones((2, 1)), substeps=10).read("qpos")[:, 0])
    assert angles[0][0] - angles[0][1] > 0.1
    np.testing.assert_allclose(angles[1], angles[0], atol=1e-6)


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize(("num_links", "joint"), [(121, '<joint axis="0 1 0"/>'), (30, '<joint type="ball"/>')])
def test_the_longest_chains_move_as_in_mujoco(num_links, joint, free):
    model = chain(num_links, joint, free=free)
    engines = both(model)
    qpos, qvel = scattered(model, 1, scale=0.1)
    for engine in engines:
        write(engine, qpos=qpos, qvel=qvel)
        run(engine, 1, substeps=3)
    np.testing.assert_allclose(engines[1].read("qpos"), engines[0].read("qpos"), atol=1e-7)
    np.testing.assert_allclose(engines[1].read("qvel"), engines[0].read("qvel"), atol=1e-4)


def test_a_free_body_whose_mass_is_its_childs_moves_as_in_mujoco():
    model = world(
        '<body quat="0.9 0.1 0.3 -0.2"><freejoint/><body pos="0 0.1 0" quat="0.8 0.1 0 0.3">'
        '<body pos="0.1 0 0" quat="0.6 0.3 0.1 0"><geom type="box" size="0.1 0.05 0.02" mass="1"/></body></body>'
        '<body pos="-0.1 0 0"><joint axis="0 1 0"/><geom pos="-0.1 0 0" size="0.05" mass="0.3"/></body></body>',
        option='timestep="0.0002" integrator="implicitfast"',
    )
    engines = both(model)
    _, qvel = scattered(model, 1)
    for engine in engines:
        write(engine, qvel=qvel, qfrc_applied=[[1, 2, 3, 0.1, 0.2, 0.3, 0.1]])
        run(engine, 1, substeps=200)
    np.testing.assert_allclose(engines[1].read("qvel"), engines[0].read("qvel"), atol=5e-3)
    np.testing.assert_allclose(engines[1].read("xpos"), engines[0].read("xpos"), atol=1e-4)
    assert abs(engines[1].read("qvel")[0, 2] - qvel[0, 2]) > 0.1


def mass_matrix(engine):
    """Returns Bullet's joint-space inertia [D, D] of the first tree, with a fixed base and one-axis joints."""
    motion, world = engine._layout.to_bullet(engine.view("qpos"), engine.view("qvel")), engine._bullet[0]
    joint_pos = motion.joint_pos[0, engine._layout.rows[0].scalars]
    return pybullet.calculateMassMatrix(world._trees[0], joint_pos.tolist(), **world._client)


def test_the_joint_space_inertia_is_mujocos():
    model = tree()
    engine = BulletEngine(model, 1, 1)
    qpos, _ = scattered(model, 1)
    write(engine, qpos=qpos)
    data, expected = mujoco.MjData(model), np.zeros((model.nv, model.nv))
    data.qpos[:] = qpos[0]
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, expected)
    found = mass_matrix(engine)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_arms_inertia_is_mujocos():
    from robossl.envs.sensors.quiet import switch_off_unused
    from robossl.envs.tasks.arm_push import ArmPush

    model = ArmPush().build_model()
    switch_off_unused(model, ())
    engine = BulletEngine(model, 1, 1)
    data, expected = mujoco.MjData(model), np.zeros((model.nv, model.nv))
    data.qpos[:7] = 0.3 * np.arange(7) - 1.0
    write(engine, qpos=data.qpos[None])
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, expected)
    found = mass_matrix(engine)
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


@pytest.mark.parametrize(("size", "tolerance"), [("0.1 0.1 0.1", 3e-3), ("0.1 0.15 0.1", 0.09)])
def test_an_ellipsoid_rolls_down_a_slope_as_a_ball_or_nearly(size, tolerance):
    tilt, time = 0.2, 1.0
    ball = f'<body pos="0 0 0.1"><freejoint/><geom type="ellipsoid" size="{size}"/></body>'
    model = world(
        f'<geom type="plane" size="9 9 1"/>{ball}',
        option=f'timestep="0.002" gravity="{GRAVITY * np.sin(tilt)} 0 {-GRAVITY * np.cos(tilt)}"',
    )
    engine = run(BulletEngine(model, 1, 1), 50, substeps=10)
    expected = 0.5 * GRAVITY * np.sin(tilt) / (1 + 2 / 5) * time**2  # round the axis of rolling both are balls
    np.testing.assert_allclose(engine.read("qpos")[0, 0], expected, rtol=tolerance)


@pytest.mark.parametrize("joint", ["free", "ball"])
def test_quaternions_keep_the_sign_that_they_were_given_and_turn_without_a_jump(joint):
    model = world(
        f'<body><joint type="{joint}"/><geom type="box" size="0.05 0.1 0.15" mass="0.5"/><site name="s"/></body>',
        option='timestep="0.002" gravity="0 0 0"',
        rest='<sensor><framequat objtype="site" objname="s"/></sensor>',
    )
    engine = BulletEngine(model, 2, 1)
    qpos, qvel = np.zeros((2, model.nq)), np.zeros((2, model.nv))
    qpos[:, -4:], qvel[:, -1] = [[-0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0]], 6
    write(engine, qpos=qpos, qvel=qvel)
    turns = [engine.read("qpos")[:, -4:]]
    for _ in range(60):
        turns.append(run(engine, 1, substeps=10).read("qpos")[:, -4:])
        np.testing.assert_allclose(engine.read("sensordata"), turns[-1], atol=1e-6)
    np.testing.assert_array_equal(turns[0], qpos[:, -4:])
    assert np.abs(np.diff(turns, axis=0)).max() < 0.1
    assert (turns[-1][1] * turns[0][1]).sum() < -0.5  # it has turned through all the way round


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


@pytest.mark.parametrize("joint", ['<joint type="slide" axis="0 0 1"/>', "<freejoint/>"])
@pytest.mark.parametrize("thing", ['type="mesh" mesh="cube"', 'type="ellipsoid" size="0.03 0.02 0.02"'])
@pytest.mark.parametrize("ground", ['type="plane" size="1 1 1"', 'type="mesh" mesh="cube" pos="0 0 -0.02"'])
def test_hulls_are_no_fatter_than_their_geoms(joint, thing, ground):
    corners = " ".join(f"{x} {y} {z}" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1))
    model = world(
        f'<geom {ground}/><body pos="0 0 0.021">{joint}<geom {thing} mass="0.1"/></body>',
        rest=f'<asset><mesh name="cube" vertex="{corners}" scale="0.02 0.02 0.02"/></asset>',
    )
    engine = run(BulletEngine(model, 1, 1), 20, substeps=10)
    np.testing.assert_allclose(engine.read("xpos")[0, 1, 2], 0.02, atol=1.5e-4)


def test_a_joint_stops_at_its_limit():
    model = world(
        '<body pos="0 0 2"><joint axis="0 1 0" range="-40 30" limited="true"/>'
        '<geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.03" mass="1"/></body>'
    )
    engine = run(BulletEngine(model, 1, 1), 100, substeps=10)
    np.testing.assert_allclose(engine.read("qpos")[0, 0], np.deg2rad(30), atol=0.01)


def test_a_joint_limit_bears_whatever_rests_on_it():
    model = world(
        '<body><joint type="slide" axis="0 0 1" range="-0.1 1" limited="true"/><geom size="0.1" mass="6000"/></body>'
    )
    engine = run(BulletEngine(model, 1, 1), 50, substeps=10)
    np.testing.assert_allclose(engine.read("qpos"), [[-0.1]], atol=1e-6)


def test_dry_friction_of_a_joint_holds_and_lets_go():
    torque = 0.25 * GRAVITY
    body = (
        '<body pos="{x} 0 2"><joint axis="0 1 0" frictionloss="{loss}"/>'
        '<geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.03" mass="1" contype="0"/></body>'
    )
    model = world(body.format(x=0, loss=1.05 * torque) + body.format(x=2, loss=0.8 * torque))
    engine = run(BulletEngine(model, 1, 1), 50, substeps=10)
    assert abs(engine.read("qpos")[0, 0]) < 1e-5
    assert engine.read("qpos")[0, 1] > 0.3


def test_dry_friction_lets_go_of_a_heavy_rotor_as_in_mujoco():
    model = world(
        '<body><joint name="j" axis="0 0 1" frictionloss="0.052" armature="0.028" damping="0.01"/>'
        '<geom type="capsule" fromto="0 0 0 0.1 0 0" size="0.01" mass="0.02"/></body>',
        option='timestep="0.002" integrator="implicitfast"',
        rest='<actuator><motor joint="j"/></actuator>',
    )
    held, moved = [], []
    for engine in both(model, 2):
        run(engine, 20, np.array([[0.05], [0.1]]), substeps=10)
        held.append(engine.read("qpos")[0, 0])
        moved.append(engine.read("qpos")[1, 0])
    assert abs(held[1]) < 1e-5
    assert moved[0] > 0.1
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-4)


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


def test_what_is_fixed_to_the_first_moving_body_stops_at_a_wall():
    body = (
        '<body name="cart" pos="0 0 1"><joint name="cart" type="slide" axis="1 0 0" damping="20"/>'
        '<geom type="box" size="0.05 0.05 0.05" mass="1"/>'
        '<body name="bumper" pos="0.1 0 0"><geom size="0.04" mass="0.3"/></body></body>'
        '<geom name="wall" type="box" pos="0.3 0 1" size="0.1 0.2 0.2"/>'
    )
    engine = BulletEngine(world(body, rest='<actuator><motor joint="cart"/></actuator>'), 1, 1)
    engine.reset(np.arange(1))
    engine.forward()
    engine.step(np.full((1, 1), 10.0), 1000)
    np.testing.assert_allclose(engine.read("qpos"), [[0.06]], atol=1e-3)
