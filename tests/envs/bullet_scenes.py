"""Scenes for Bullet, and both engines with the same model in them."""

import mujoco
import numpy as np
import pytest

from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model

pytest.importorskip("pybullet")


from robossl.envs.bullet.engine import BulletEngine

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


def chain(num_links, joint="<joint/>", *, free=False):
    """Returns a chain of links 5 cm long, each with such a joint; a ball moves the first if `free`."""
    link = '<body pos="0.05 0 0">{}<geom type="capsule" fromto="0 0 0 0.05 0 0" size="0.01" mass="0.02"/>'
    links = "".join(link.format(joint) for _ in range(num_links)) + "</body>" * num_links
    first = '<freejoint/><geom size="0.02" mass="1"/>' if free else ""
    flag = '<flag contact="disable"/>'
    return load_model(
        f'<mujoco><option timestep="0.001" integrator="implicitfast">{flag}</option>'
        f'<worldbody><body name="first">{first}{links}</body></worldbody></mujoco>'
    )


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
