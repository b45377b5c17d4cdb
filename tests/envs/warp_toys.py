"""A scene whose kernels compile fast, and engines that run it."""

import numpy as np
import pytest
from engine_toys import controls

from robossl.envs.host import on_host
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.warp.engine import WarpEngine
from robossl.envs.warp.library import warp

NEEDS_GPU = [pytest.mark.gpu, pytest.mark.skipif(not warp.get_cuda_devices(), reason="needs an NVIDIA GPU")]
if not warp.get_cuda_devices():
    warp.config.optimization_level = 0  # half the time to compile; Warp keeps what it compiled for the next run

XML = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="pillar" mocap="true" pos="2 0 0.1"><geom name="pillar" type="box" size="0.1 0.1 0.1"/></body>
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
    <accelerometer site="tip"/>
    <contact geom1="ball" data="found"/>
  </sensor>
</mujoco>
"""
SUBSTEPS = 5
MODEL = load_model(XML)


device = "cpu"  # of the engines that tests make


def engine_of(num_worlds: int = 1) -> WarpEngine:
    return WarpEngine(MODEL, num_worlds, 1, device)


def both(num_worlds: int = 2) -> tuple[WarpEngine, MujocoEngine]:
    return engine_of(num_worlds), MujocoEngine(MODEL, num_worlds, 1)


def scattered(*engines: WarpEngine | MujocoEngine) -> None:
    """Gives every world (by its number) its own start; balls begin near what they fall on."""
    for engine in engines:
        rng, everyone = np.random.default_rng(0), np.arange(engine.num_worlds)
        velocity = 0.3 * rng.normal(size=(64, MODEL.nv))[: engine.num_worlds]
        qpos = on_host(engine.read("qpos"))
        qpos[:, 2] = 0.3 + 0.1 * rng.uniform(size=64)[: engine.num_worlds]
        engine.write("qpos", qpos, everyone)
        engine.write("qvel", velocity, everyone)
        engine.forward()


def drive(
    engine: WarpEngine | MujocoEngine, num_steps: int, record: tuple[str, ...] = ()
) -> list[dict[str, np.ndarray]]:
    """Steps with the same controls whichever engine it is; returns what was recorded."""
    steps = controls(num_steps, engine.num_worlds)
    return [{name: on_host(values) for name, values in engine.step(ctrl, SUBSTEPS, record).items()} for ctrl in steps]
