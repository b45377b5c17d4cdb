"""Light links under heavy rotors that stand on something in Bullet."""

import numpy as np
import pytest

pytest.importorskip("pybullet")

from bullet_scenes import both, run, world, write

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


def test_only_where_rotors_keep_most_of_their_speed_a_force_is_foreseen():
    assert not trends(leg(0)).any()
    assert not trends(leg(0.01, damping=6)).any()
    np.testing.assert_allclose(trends(leg(0.01)), [1, 10 / 11, 10 / 11])
    assert not trends(ArmLift().build_model()).any()  # its servos damp
