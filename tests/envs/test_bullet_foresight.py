"""Light links under heavy rotors that stand on something in Bullet."""

import numpy as np
import pytest

pytest.importorskip("pybullet")

from bullet_scenes import both, run, world, write

from robossl.envs.bullet.engine import BulletEngine
from robossl.envs.bullet.foresight import trends
from robossl.envs.tasks.arm_lift import ArmLift

NC = 'contype="0" conaffinity="0"'


def leg(armature, damping=0.5):
    """Returns a leg of two links, whose base slides up and down a rail."""
    joint = f'axis="0 1 0" armature="{armature}" damping="{damping}"'
    shin = f'<geom type="capsule" fromto="0 0 0 0.1 0 -0.17" size="0.015" mass="0.15" {NC}/>'
    thigh = f'<geom type="capsule" fromto="0 0 0 -0.1 0 -0.17" size="0.02" mass="0.3" {NC}/>'
    return world(
        '<geom type="plane" size="9 9 1"/><body pos="0 0 0.37"><joint type="slide" axis="0 0 1"/>'
        f'<geom size="0.1" mass="1.8" {NC}/><body><joint name="hip" {joint}/>{thigh}'
        f'<body pos="-0.1 0 -0.17"><joint name="knee" {joint}/>{shin}'
        '<geom size="0.02" pos="0.1 0 -0.17" mass="0.02"/></body></body></body>',
        option='timestep="0.002" integrator="implicitfast"',
        rest='<actuator><position joint="hip" kp="60"/><position joint="knee" kp="60"/></actuator>',
    )


@pytest.mark.parametrize("armature", [0.01, 0.05])
def test_a_leg_of_light_links_under_heavy_rotors_stands_still(armature):
    expected, found = (run(engine, 100, substeps=10) for engine in both(leg(armature)))
    np.testing.assert_allclose(found.read("qpos")[0, 0], expected.read("qpos")[0, 0], atol=3e-3)
    assert np.abs(found.read("qvel")).max() < 0.1


def test_a_leg_lands_as_in_mujoco():
    heights = []
    for engine in both(leg(0.05, damping=1)):
        write(engine, qpos=[[0.15, 0, 0]])
        heights.append([float(run(engine, 1, substeps=10).read("qpos")[0, 0]) for _ in range(50)])
    np.testing.assert_allclose(heights[1], heights[0], atol=0.03)


@pytest.mark.parametrize("base", ["", '<freejoint/><geom size="0.2" mass="6"/>'])
def test_a_motor_that_is_pressed_on_its_limit_does_not_bounce(base):
    joint = '<joint name="j" axis="0 1 0" armature="0.1" damping="0.1" range="-90 30" limited="true"/>'
    model = world(
        f'<body pos="0 0 1">{base}<body pos="0 0 0.3">{joint}'
        f'<geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="0.2" {NC}/></body></body>',
        option='timestep="0.002" integrator="implicitfast" gravity="0 0 0"',
        rest='<actuator><motor joint="j"/></actuator>',
    )
    engine, speeds = BulletEngine(model, 1, 1), []
    for _ in range(60):
        engine.step(np.full((1, 1), 5.0), 10)
        speeds.append(engine.read("qvel")[0, -1])
    assert max(speeds) > 3
    assert min(speeds) > -0.3


def test_a_state_is_gone_on_from_bit_for_bit_though_it_does_not_hold_what_was_foreseen():
    model = leg(0.05, damping=1)
    assert trends(model).all()
    engine = BulletEngine(model, 1, 1)
    write(engine, qpos=[[0.01, 0, 0]])
    state = run(engine, 10, substeps=10).get_state()
    expected = run(engine, 3, substeps=10).get_state()
    engine.set_state(state)
    np.testing.assert_array_equal(run(engine, 3, substeps=10).get_state(), expected)


def test_only_where_rotors_keep_most_of_their_speed_a_force_is_foreseen():
    assert not trends(leg(0)).any()
    assert not trends(leg(0.01, damping=6)).any()
    np.testing.assert_allclose(trends(leg(0.01)), [1, 10 / 11, 10 / 11])


def test_only_where_a_base_moves_freely_a_force_is_foreseen():
    assert not trends(ArmLift().build_model()).any()
    assert not trends(world(f'<body><joint axis="0 1 0" armature="0.1"/><geom size="0.1" {NC}/></body>')).any()
    link = '<body><joint axis="0 1 0" armature="0.1"/><geom size="0.1" pos="0.3 0 0"/></body>'
    air = 'timestep="0.002" density="1.2" viscosity="1.8e-5"'
    np.testing.assert_allclose(trends(world(f'<body><freejoint/><geom size="0.1"/>{link}</body>', option=air)), 1, 1e-3)
