"""A small scene, and engines that run it."""

import gc
from pathlib import Path

import numpy as np
import pytest

from robossl.envs.mujoco_engine import MujocoEngine

XML = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="pillar" mocap="true" pos="2 0 0.1"><geom name="pillar" type="box" size="0.1 0.1 0.1"/></body>
    <body name="box" pos="0 0 0.12">
      <freejoint/>
      <geom name="box" type="box" size="0.1 0.1 0.1" mass="1"/>
      <site name="box" size="0.2"/>
    </body>
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
    <velocimeter site="tip"/>
    <touch site="box"/>
    <accelerometer site="tip"/>
  </sensor>
</mujoco>
"""
SUBSTEPS = 5


def engine_of(model, num_worlds=1, num_threads=1):
    return MujocoEngine(model, num_worlds, num_threads)


def scattered(engine, seed=0):
    """Gives every world (by its number) its own start."""
    num_worlds = engine.num_worlds
    noise = np.random.default_rng(seed).normal(size=(64, engine.model.nv))[:num_worlds]
    velocity = 0.5 * noise
    everyone = np.arange(num_worlds)
    engine.write("qvel", velocity, everyone)
    engine.forward()


def controls(num_steps, num_worlds, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (num_steps, 64, 1))[:, :num_worlds]


def num_threads():
    """Counts the threads of this process, once those of what nobody holds any more are gone."""
    if not (tasks := Path("/proc/self/task")).is_dir():
        pytest.skip("needs Linux's /proc")
    gc.collect()
    return len([*tasks.iterdir()])
