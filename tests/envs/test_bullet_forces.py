"""Accelerations and forces that sensors tell of in Bullet, against what is known beforehand and against MuJoCo's."""

from typing import Any

import numpy as np
import pytest
from bullet_scenes import GRAVITY, BulletEngine, world

from robossl.core import UserError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.sensors.sensor import sensor_columns

SCENE = """
<geom name="floor" type="plane" size="5 5 0.1"/>
<body name="box" pos="0 0 0.1">
  <freejoint/>
  <geom name="box" type="box" size="0.1 0.1 0.1" mass="2"/>
  <site name="centre"/>
  <site name="pad" type="box" size="0.11 0.11 0.02" pos="0 0 -0.1"/>
  <site name="lid" type="box" size="0.11 0.11 0.02" pos="0 0 0.1"/>
</body>
<body name="table" pos="2 0 1" euler="0 12 0">
  <geom name="table" type="box" size="0.3 0.3 0.01" mass="0.5"/>
  <site name="flange"/>
</body>
<body name="brick" pos="2 0 1.07" euler="0 12 0">
  <freejoint/>
  <geom name="brick" type="box" size="0.05 0.05 0.05" mass="1.5" friction="0.8"/>
</body>
<body name="hinge" pos="-2 0 1">
  <joint name="hinge" axis="0 0 1"/>
  <geom name="arm" type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="1"/>
  <site name="tip" pos="0.3 0 0"/>
</body>
<body name="cart" pos="0 3 1">
  <joint name="cart" type="slide" axis="1 0 0" damping="20"/>
  <geom name="cart" type="box" size="0.05 0.05 0.05" mass="1"/>
  <body name="bumper" pos="0.1 0 0">
    <geom name="bumper" type="sphere" size="0.04" mass="0.3"/>
    <site name="joined" pos="-0.05 0 0"/>
  </body>
</body>
<geom name="wall" type="box" pos="0.3 3 1" size="0.1 0.2 0.2"/>
"""
SENSORS = """
<actuator><motor name="push" joint="cart"/></actuator>
<sensor>
  <accelerometer name="acceleration" site="centre"/>
  <accelerometer name="tip" site="tip"/>
  <framelinacc name="linear" objtype="body" objname="box"/>
  <touch name="pad" site="pad"/>
  <touch name="lid" site="lid"/>
  <touch name="limited" site="pad" cutoff="3"/>
  <force name="table" site="flange"/>
  <force name="joined" site="joined"/>
  <torque name="moment" site="joined"/>
</sensor>
"""


def engine_of(kind: Any = BulletEngine, num_worlds: int = 1) -> Any:
    engine = kind(world(SCENE, rest=SENSORS), num_worlds, 1)
    engine.reset(np.arange(num_worlds))
    engine.read("sensordata")  # is kept current from now on
    return engine


def value(engine: Any, name: str) -> np.ndarray:
    return np.asarray(engine.read("sensordata")[:, sensor_columns(engine.model, name)])


def settle(engine: Any, steps: int = 400, force: float = 0.0) -> None:
    engine.step(np.full((engine.num_worlds, 1), force), steps)


def test_at_rest_sensors_tell_of_weights() -> None:
    engine = engine_of()
    settle(engine)
    np.testing.assert_allclose(value(engine, "acceleration"), [[0, 0, GRAVITY]], atol=0.02)
    np.testing.assert_allclose(value(engine, "linear"), [[0, 0, GRAVITY]], atol=0.02)  # as MuJoCo counts it
    np.testing.assert_allclose(value(engine, "pad"), [[2 * GRAVITY]], rtol=2e-3)
    np.testing.assert_allclose(value(engine, "limited"), [[3]])
    np.testing.assert_array_equal(value(engine, "lid"), 0)


def test_friction_is_part_of_what_presses() -> None:
    engine = engine_of()
    settle(engine)
    tilt = np.deg2rad(12)  # the brick rests on the slope: table and brick weigh straight down
    expected = (0.5 + 1.5) * GRAVITY * np.array([-np.sin(tilt), 0, np.cos(tilt)])
    np.testing.assert_allclose(value(engine, "table"), [expected], atol=0.05)


def test_in_free_fall_nothing_is_felt() -> None:
    engine = engine_of()
    pose = engine.read("qpos")
    pose[:, 2] = 3.0
    engine.write("qpos", pose, np.array([0]))
    engine.forward()
    for _ in range(2):
        np.testing.assert_allclose(value(engine, "acceleration"), 0, atol=1e-4)
        np.testing.assert_array_equal(value(engine, "pad"), 0)
        settle(engine, 5)


def test_a_turning_tip_feels_its_centripetal_acceleration() -> None:
    engine = engine_of()
    speed = engine.read("qvel")
    speed[:, engine.model.joint("hinge").dofadr] = 3.0
    engine.write("qvel", speed, np.array([0]))
    engine.forward()
    np.testing.assert_allclose(value(engine, "tip"), [[-(3.0**2) * 0.3, 0, GRAVITY]], rtol=1e-3, atol=1e-3)


def test_a_cart_that_pushes_a_wall_presses_its_bumper_with_the_motors_force() -> None:
    engine, reference = engine_of(), engine_of(MujocoEngine)
    for other in (engine, reference):
        settle(other, 1500, 10.0)
    # on the bumper from the cart, in the site's frame: the push, and the bumper's weight
    for name, expected in (("joined", [10, 0, 0.3 * GRAVITY]), ("moment", [0, -0.3 * GRAVITY * 0.05, 0])):
        np.testing.assert_allclose(value(engine, name), [expected], atol=0.02)
        np.testing.assert_allclose(value(engine, name), value(reference, name), atol=0.02)


def test_what_is_recorded_at_every_substep_goes_on_in_what_is_read() -> None:
    together, apart = engine_of(num_worlds=2), engine_of()
    window = together.step(np.full((2, 1), 10.0), 4, ("sensordata",))["sensordata"]
    np.testing.assert_array_equal(window[0], window[1])
    columns = sensor_columns(together.model, "joined")  # nothing touches the cart: one substep at a time is the same
    for substep in range(4):
        np.testing.assert_allclose(value(apart, "joined"), window[:1, substep, columns], atol=1e-5)
        apart.step(np.full((1, 1), 10.0), 1)
    assert window[0, 0, columns][0] == 0  # before the motor was on
    np.testing.assert_allclose(window[0, 1, columns][0], 0.3 * 10.0 / 1.3, rtol=0.05)  # the bumper's share


def test_looking_at_forces_changes_nothing_that_follows() -> None:
    looked, blind = engine_of(), engine_of()
    for _ in range(20):
        looked.read("sensordata")
        for engine in (looked, blind):
            engine.step(np.full((1, 1), 10.0), 5)
    np.testing.assert_array_equal(looked.read("qpos"), blind.read("qpos"))
    np.testing.assert_array_equal(looked.read("qvel"), blind.read("qvel"))


def test_forces_follow_the_masses_of_a_world() -> None:
    engine = engine_of(num_worlds=2)
    mass = np.array(engine.model.body_mass)
    mass[engine.model.body("bumper").id] *= 3
    engine.randomise("body_mass", mass[None], np.array([1]))
    engine.forward()
    settle(engine, 1)
    np.testing.assert_allclose(value(engine, "joined")[:, 2], [0.3 * GRAVITY, 0.9 * GRAVITY], rtol=1e-4)


def test_forces_beside_welds_are_refused_by_name() -> None:
    rest = '<equality><weld name="glue" body1="box" body2="cart"/></equality>' + SENSORS
    with pytest.raises(UserError, match=r"sensor 'table' cannot be translated: .* forces of welds"):
        BulletEngine(world(SCENE, rest=rest), 1, 1)
