"""The frames of our own kinematics against those of MuJoCo's."""

import mujoco
import numpy as np
import pytest
from mujoco import batch as mujoco_batch

from robossl.envs.kinematics import Kinematics
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import BODY_FIELDS

NUM_WORLDS = 11

EVERY_JOINT = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <site name="of_world" pos="1 2 3" quat="1 0.2 0.3 0.4"/>
    <body mocap="true" pos="0.1 0.2 0.3">
      <geom size="0.1"/>
      <site name="of_mocap" pos="0.1 0 0.2" quat="1 0.2 0 0.1"/>
      <body pos="0.1 0.2 0.3" quat="1 0.5 0.2 0.1"><geom size="0.1"/></body>
    </body>
    <body name="base" pos="1 2 3" quat="0.3 0.2 0.5 0.1">
      <geom size="0.1"/>
      <body pos="0.1 0.2 0.3" quat="0.3 0.2 0.5 0.9">
        <joint type="slide" axis="1 2 3" pos="0.1 0.3 0.5" ref="0.2"/>
        <joint type="slide" axis="0 2 3"/>
        <joint axis="1 0.2 0.1" pos="0.1 0.2 0.3" ref="0.5"/>
        <joint axis="1 0 1"/>
        <geom size="0.1"/>
        <body pos="0.3 0.1 0.2">
          <joint axis="0 0 1"/>
          <geom size="0.1"/>
          <site name="of_link" pos="0.1 0 0.2" quat="1 0.2 0 0.1"/>
          <body pos="1 1 1" quat="1 1 0 0"><geom size="0.1"/></body>
        </body>
      </body>
    </body>
    <body pos="0 0 5">
      <freejoint/>
      <geom size="0.1"/>
      <body pos="0.1 0.2 0.3" quat="1 0.5 0.2 0.1">
        <joint axis="1 1 0"/>
        <geom size="0.1"/>
        <site name="of_free"/>
      </body>
    </body>
  </worldbody>
  <sensor><gyro site="of_free"/><accelerometer site="of_link"/></sensor>
</mujoco>
"""
WITH_A_BALL = EVERY_JOINT.replace('<joint axis="1 1 0"/>', '<joint type="ball" pos="0.1 0 0"/>')


def scatter(batch, seed=0):
    rng = np.random.default_rng(seed)
    for name, scale in (("qpos", 1.0), ("mocap_pos", 1.0), ("mocap_quat", 0.3)):
        values = batch.bind(name)
        values += scale * rng.normal(size=values.shape)


def from_mujoco(batch):
    fields = {name: batch.bind(name) for name in BODY_FIELDS}
    batch.forward(stage=mujoco.mjtStage.mjSTAGE_POS)
    return fields


@pytest.fixture
def model():
    return mujoco.MjModel.from_xml_string(EVERY_JOINT)


def test_frames_are_where_mujoco_has_them(model):
    batch = mujoco_batch.Batch(model, NUM_WORLDS, 1)
    scatter(batch)
    ours = Kinematics(model, batch)
    for seed in range(3):
        scatter(batch, seed)
        ours.follow(None)
        for name, values in from_mujoco(batch).items():
            np.testing.assert_allclose(ours.field(name), values, rtol=0, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("far_rad", [1.0, 30.0, 9e4, 3e5, 1e9])
def test_joints_may_have_turned_however_far(model, far_rad):
    batch = mujoco_batch.Batch(model, NUM_WORLDS, 1)
    ours = Kinematics(model, batch)
    hinges = model.jnt_qposadr[model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE]
    turned = far_rad * np.random.default_rng(0).uniform(-1, 1, (NUM_WORLDS, len(hinges)))
    turned[::2] = np.arange(-3, 3)[:, None] * np.pi / 2
    batch.bind("qpos")[:, hinges] = turned
    ours.follow(None)
    for name, values in from_mujoco(batch).items():
        np.testing.assert_allclose(ours.field(name), values, rtol=0, atol=1e-14, err_msg=name)


def test_a_world_is_the_same_to_the_last_bit_beside_others(model):
    many, one = (mujoco_batch.Batch(model, num, 1) for num in (NUM_WORLDS, 1))
    scatter(many)
    one.state[:] = many.state[4]
    ours, alone = Kinematics(model, many), Kinematics(model, one)
    for name in BODY_FIELDS:
        np.testing.assert_array_equal(ours.field(name)[4:5], alone.field(name))


def test_a_broken_world_leaves_the_others_alone(model):
    batch = mujoco_batch.Batch(model, NUM_WORLDS, 1)
    scatter(batch)
    ours = Kinematics(model, batch)
    before = {name: ours.field(name).copy() for name in BODY_FIELDS}
    batch.bind("qpos")[2] = np.nan
    ours.follow(None)
    assert np.isnan(ours.field("xpos")[2]).any()
    batch.bind("qpos")[2] = 1e7
    ours.follow(None)
    np.testing.assert_array_equal(np.delete(ours.field("xmat"), 2, axis=0), np.delete(before["xmat"], 2, axis=0))
    batch.bind("qpos")[2] = 0.1
    ours.follow(None)
    for name, values in before.items():
        np.testing.assert_array_equal(np.delete(ours.field(name), 2, axis=0), np.delete(values, 2, axis=0))
        assert np.isfinite(ours.field(name)).all()


LATER_FIELDS = ("qacc", "cvel", "geom_xpos", "sensordata")


def moved_engine(model):
    engine = MujocoEngine(model, NUM_WORLDS, 1)
    for name in (*BODY_FIELDS, *LATER_FIELDS):
        engine.view(name)
    qpos = engine.read("qpos") + np.random.default_rng(0).normal(size=(NUM_WORLDS, model.nq))
    engine.write("qpos", qpos, np.arange(NUM_WORLDS))
    return engine


def require_mujocos(engine, atol=0.0):
    for name, values in from_mujoco(engine.batch).items():
        np.testing.assert_allclose(engine.view(name), values, rtol=0, atol=atol, err_msg=name)


def require_current(engine):
    after = {name: engine.view(name).copy() for name in (*BODY_FIELDS, *LATER_FIELDS)}
    engine.forward()
    for name, values in after.items():
        np.testing.assert_array_equal(engine.view(name), values, err_msg=name)


def test_ball_joints_are_left_to_mujoco():
    engine = moved_engine(mujoco.MjModel.from_xml_string(WITH_A_BALL))
    engine.forward()
    require_mujocos(engine)
    engine.step(np.zeros((NUM_WORLDS, 0)), 3)
    require_current(engine)
    require_mujocos(engine)
    engine.write("qpos", engine.read("qpos") + 0.1, np.arange(NUM_WORLDS))
    engine.forward(np.array([3]))
    values = engine.view("xpos")[3]
    engine.forward()
    np.testing.assert_array_equal(engine.view("xpos")[3], values)


def test_bodies_whose_places_differ_between_worlds_are_followed(model):
    engine = moved_engine(model)
    engine.forward()
    require_mujocos(engine, atol=1e-14)
    places = np.repeat(model.body_pos[None], 2, axis=0)
    places[:, model.body("base").id] += 0.5
    engine.randomise("body_pos", places, np.array([1, 5]))
    before = engine.view("site_xpos").copy()
    engine.forward()
    assert not np.allclose(engine.view("site_xpos")[[1, 5]], before[[1, 5]])
    require_mujocos(engine)
    engine.step(np.zeros((NUM_WORLDS, 0)), 3)
    require_current(engine)
    require_mujocos(engine)


@pytest.mark.parametrize("xml", [EVERY_JOINT, WITH_A_BALL])
def test_a_field_that_is_looked_at_late_is_current(xml):
    engine = MujocoEngine(mujoco.MjModel.from_xml_string(xml), NUM_WORLDS, 1)
    engine.view("geom_xpos")
    everyone = np.arange(NUM_WORLDS)
    engine.write("qpos", np.random.default_rng(0).normal(size=(NUM_WORLDS, engine.model.nq)), everyone)
    engine.forward()
    seen = engine.read("xpos", everyone[3:5])
    np.testing.assert_allclose(seen, from_mujoco(engine.batch)["xpos"][3:5], atol=1e-6)


def test_a_quaternion_without_length_is_no_turn(model):
    batch = mujoco_batch.Batch(model, NUM_WORLDS, 1)
    scatter(batch)
    batch.bind("qpos")[1, -5:-1] = 0.0
    batch.bind("mocap_quat")[2] = 0.0
    ours = Kinematics(model, batch)
    for name, values in from_mujoco(batch).items():
        np.testing.assert_allclose(ours.field(name), values, rtol=0, atol=1e-14, err_msg=name)


def test_few_worlds_are_followed_without_the_others_being_asked_for(model):
    engine = MujocoEngine(model, NUM_WORLDS, 1)
    qpos = np.random.default_rng(0).normal(size=(2, model.nq))
    some = np.array([2, 7])
    engine.write("qpos", qpos, some)
    seen = engine.read("site_xpos", some)
    np.testing.assert_allclose(seen, from_mujoco(engine.batch)["site_xpos"][some], atol=1e-6)
