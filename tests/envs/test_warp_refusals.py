"""What MuJoCo Warp would compute unlike MuJoCo is refused by name; what it computes alike is not."""

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

from robossl.core import UserError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.warp.engine import WarpEngine

TENDON = '<tendon><spatial name="t" {}><site site="here"/><site site="there"/></spatial></tendon>'


def model_of(joint="<freejoint/>", rest="", integrator="implicitfast"):
    return load_model(
        f'<mujoco><compiler angle="radian"/><option timestep="0.002" integrator="{integrator}" gravity="0 0 0"/>'
        f'<worldbody><site name="here"/><body name="buoy" pos="0 1 0">{joint}'
        f'<geom size="0.1" mass="1"/><site name="there"/></body></worldbody>{rest}</mujoco>'
    )


def limited(margin, high=1.0):
    return model_of(f'<joint name="j" axis="0 0 1" pos="0 -1 0" range="0 {high}" limited="true" margin="{margin}"/>')


@pytest.mark.parametrize(
    "rest",
    [
        TENDON.format('damping="2000"'),
        TENDON.format('damping="0 2000"'),
        TENDON.format("") + '<actuator><velocity tendon="t" kv="2000"/></actuator>',
        '<actuator><velocity site="there" gear="0 1 0 0 0 0" kv="2000" forcerange="-10 10"/></actuator>',
        '<actuator><damper site="there" gear="0 1 0 0 0 0" kv="200" ctrlrange="0 10"/></actuator>',
    ],
)
def test_stiff_dampers_of_a_free_body_are_refused_by_its_name(rest):
    with pytest.raises(UserError, match="cannot run this model: tendons or actuators damp body 'buoy' too strongly"):
        WarpEngine(model_of(rest=rest), 1, 1, "cpu")


@pytest.mark.parametrize(("damping", "effect"), [(400, "be inaccurate"), (960, "be inaccurate"), (1100, "diverge")])
def test_a_refusal_says_what_would_become_of_such_a_damping(damping, effect):
    with pytest.raises(UserError, match=f"explicitly and would {effect}; damp it less"):
        WarpEngine(model_of(rest=TENDON.format(f'damping="{damping}"')), 1, 1, "cpu")


@pytest.mark.parametrize(("joint", "damping"), [("<freejoint/>", 100), ('<joint type="slide" axis="0 1 0"/>', 2000)])
def test_what_is_damped_lightly_or_has_other_joints_slows_down_as_in_mujoco(joint, damping):
    model = model_of(joint, TENDON.format(f'damping="{damping}"'))
    speeds = []
    for engine in (WarpEngine(model, 1, 1, "cpu"), MujocoEngine(model, 1, 1)):
        velocity = np.zeros((1, model.nv))
        velocity[0, 1 if model.nv > 1 else 0] = 1.0
        engine.write("qvel", velocity, np.arange(1))
        engine.step(np.zeros((1, 0)), 20)
        speeds.append(np.asarray(engine.read("qvel")))
    np.testing.assert_allclose(speeds[0], speeds[1], atol=0.02)
    assert np.abs(speeds[1]).max() < 0.1


def test_a_damping_that_a_world_is_given_is_refused_as_the_models_own():
    engine = WarpEngine(model_of(rest=TENDON.format('damping="10"')), 2, 1, "cpu")
    engine.randomise("tendon_damping", np.array([[100.0]]), np.array([1]))
    with pytest.raises(UserError, match="damp body 'buoy' too strongly"):
        engine.randomise("tendon_damping", np.array([[100.0], [2000.0]]), np.arange(2))


def test_a_margin_of_more_than_half_a_range_is_refused_by_the_joints_name():
    message = "the margin of joint 'j' is more than half of its range"
    with pytest.raises(UserError, match=message):
        WarpEngine(limited(0.6), 1, 1, "cpu")
    engine = WarpEngine(limited(0.4), 1, 1, "cpu")
    with pytest.raises(UserError, match=message):
        engine.randomise("jnt_range", np.array([[[0.0, 0.7]]]), np.arange(1))
    with pytest.raises(UserError, match="the margin of tendon 't' is more than half of its range"):
        WarpEngine(model_of(rest=TENDON.format('range="0.9 1.1" margin="0.2" limited="true"')), 1, 1, "cpu")


def test_a_margin_of_less_than_half_a_range_acts_as_in_mujoco():
    angles = []
    for engine in (WarpEngine(limited(0.4), 1, 1, "cpu"), MujocoEngine(limited(0.4), 1, 1)):
        engine.write("qpos", np.array([[0.9]]), np.arange(1))
        engine.step(np.zeros((1, 0)), 50)
        angles.append(np.asarray(engine.read("qpos")))
    np.testing.assert_allclose(angles[0], angles[1], atol=1e-5)
    assert angles[1] < 0.7
