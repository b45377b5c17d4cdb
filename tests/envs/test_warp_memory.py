"""What engine `warp` carries from step to step is its state alone: no other computation leaves a trace in a motion."""

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

import warp_toys
from warp_toys import NEEDS_GPU

from robossl.core import UserError
from robossl.envs.engines import make_engine
from robossl.envs.host import on_host
from robossl.envs.mujoco_model import load_model
from robossl.envs.warp.engine import WarpEngine

XML = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <body name="target" mocap="true" pos="1 0 2"/>
    <body name="box" pos="0 0 2" euler="5 10 0"><freejoint/><geom type="box" size="0.1 0.08 0.06" mass="1.3"/></body>
    <body name="ball" pos="0.5 0 2"><freejoint/><geom size="0.1" mass="1"/></body>
    <body name="lamp" pos="1 0 2"><freejoint/><geom size="0.1" mass="1"/></body>
    <body name="wheel" pos="3 0 2"><joint name="axle" axis="0 1 0"/><geom size="0.1" mass="1"/></body>
  </worldbody>
  <equality>
    <connect body1="box" body2="ball" anchor="0.2 0 0"/>
    <weld body1="target" body2="lamp"/>
  </equality>
  <actuator><motor joint="axle" group="2" ctrllimited="true" ctrlrange="-1 1"/></actuator>
  <sensor>
    <framelinvel objtype="body" objname="box" delay="0.03" nsample="5"/>
    <framepos objtype="body" objname="box" interval="0.05" nsample="3"/>
  </sensor>
</mujoco>
"""
MODEL = load_model(XML)
SPEEDS = np.linspace(-0.5, 0.5, MODEL.nv)
STILL = np.zeros((2, MODEL.nu))
LAST_BITS = {"rtol": 0, "atol": 1e-6}  # which differ from run to run on a GPU


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NEEDS_GPU)], autouse=True)
def device(request, monkeypatch):
    """Runs each test on the processor, and on a GPU."""
    monkeypatch.setattr(warp_toys, "device", request.param)


def started():
    engine = WarpEngine(MODEL, 2, 1, warp_toys.device)
    start(engine, np.arange(2))
    return engine


def start(engine, ids):
    engine.reset(ids)
    engine.write("qvel", np.tile(SPEEDS, (len(ids), 1)), ids)
    engine.forward(ids)


def driven(engine, num_steps=5):
    for _ in range(num_steps):
        engine.step(STILL, 3)
    return engine.get_state()


@pytest.mark.parametrize("field", ["actuator_length", "qfrc_bias", "sensordata"])
def test_reading_leaves_no_trace_in_a_motion_nor_in_what_delayed_sensors_remember(field):
    unseen, seen = started(), started()
    for _ in range(4):
        seen.read(field)
        np.testing.assert_allclose(driven(seen, 1), driven(unseen, 1), **LAST_BITS)
        before = seen.get_state()
        seen.read(field)
        np.testing.assert_array_equal(seen.get_state(), before)


def test_delayed_sensors_read_what_they_do_in_mujoco():
    warp, mujoco = started(), make_engine("mujoco", MODEL, 2, 1)
    start(mujoco, np.arange(2))
    for engine in (warp, mujoco):
        driven(engine)
    np.testing.assert_allclose(on_host(warp.read("sensordata")), mujoco.read("sensordata"), atol=1e-4)


def test_an_episode_does_not_depend_on_the_one_before():
    engine, some = started(), np.array([1])
    driven(engine)
    start(engine, some)
    np.testing.assert_allclose(driven(engine)[1], driven(started())[1], **LAST_BITS)


def test_forces_of_constraints_are_those_of_mujoco_from_the_first_step():
    warp, mujoco = started(), make_engine("mujoco", MODEL, 2, 1)
    start(mujoco, np.arange(2))
    for engine in (warp, mujoco):
        engine.step(STILL, 1)
    np.testing.assert_allclose(on_host(warp.read("qvel")), mujoco.read("qvel"), atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("qfrc_applied", 1e20),
        ("xfrc_applied", 1e20),
        ("xfrc_applied", np.nan),
        ("mocap_quat", np.inf),
        ("time", np.nan),
        ("ctrl", np.nan),
    ],
)
def test_a_world_that_was_given_what_no_solver_can_use_is_flagged_until_it_is_reset(field, value):
    engine, some = started(), np.array([1])
    ctrl = STILL.copy()
    if field == "ctrl":
        ctrl[1] = value
    else:
        engine.write(field, np.full_like(on_host(engine.read(field, some)), value), some)
    engine.step(ctrl, 2)
    np.testing.assert_array_equal(engine.diverged, [False, True])
    start(engine, some)
    driven(engine, 1)
    assert not engine.diverged.any()


def test_an_actuator_that_is_off_with_its_group_is_refused_by_name():
    model = load_model(XML.replace('timestep="0.01"', 'timestep="0.01" actuatorgroupdisable="2"'))
    with pytest.raises(UserError, match=r"cannot run this model: actuator 0 is off with its group 2"):
        WarpEngine(model, 1, 1, warp_toys.device)
