"""Servos at the start of an episode whose joints were moved away from where the layout put them."""

import numpy as np
import pytest

from robossl.envs.holding import Holding
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model

XML = """
<mujoco>
  <option gravity="0 0 0"/>
  <worldbody>
    <body><joint name="x" type="slide"/><geom size="0.1"/></body>
    <body><joint name="y" axis="0 1 0"/><geom size="0.1" pos="1 0 0"/></body>
  </worldbody>
  <tendon><fixed name="both"><joint joint="x" coef="2"/><joint joint="y" coef="-1"/></fixed></tendon>
  <actuator>{}</actuator>
</mujoco>
"""
EVERYONE = np.arange(3)
BEFORE, MOVED = np.array([0.3, -0.1]), np.array([[0.2, 0.0], [-0.05, 0.4], [0.0, 0.0]])


def moved(actuator: str) -> tuple[MujocoEngine, np.ndarray, np.ndarray]:
    """Returns worlds whose joints moved, and what their actuator heard, and pulled with, before."""
    engine = MujocoEngine(load_model(XML.format(actuator)), 3, 1)
    engine.write("qpos", np.tile(BEFORE, (3, 1)), EVERYONE)
    engine.write("ctrl", np.full((3, 1), 0.1), EVERYONE)
    engine.write("act", np.full((3, engine.model.na), 0.2), EVERYONE)
    engine.forward()
    pulled, holding = engine.read("actuator_force"), Holding(engine.model)
    held = holding.lengths(engine, EVERYONE)
    engine.write("qpos", BEFORE + MOVED, EVERYONE)
    holding.follow(engine, held, EVERYONE)
    engine.forward()
    return engine, engine.view("ctrl")[:, 0] - 0.1, pulled


@pytest.mark.parametrize(
    ("actuator", "shift"),
    [
        ('<position joint="x" kp="50" kv="3"/>', MOVED[:, 0]),
        ('<position joint="y" kp="50" gear="3"/>', 3 * MOVED[:, 1]),
        ('<position tendon="both" kp="50"/>', MOVED @ [2, -1]),
        ('<position joint="x" kp="50" timeconst="0.1"/>', MOVED[:, 0]),
        ('<general joint="x" gainprm="0.5" biastype="affine" biasprm="0 -100 -10"/>', 200 * MOVED[:, 0]),
        ('<intvelocity joint="x" kp="50"/>', 0 * MOVED[:, 0]),
    ],
)
def test_an_actuator_that_acts_on_positions_pulls_as_it_did(actuator: str, shift: np.ndarray) -> None:
    engine, heard, pulled = moved(actuator)
    np.testing.assert_allclose(heard, shift, atol=1e-14)
    np.testing.assert_allclose(engine.read("actuator_force"), pulled, rtol=1e-5)
    assert (pulled != 0).all()
    assert heard[2] == 0  # to the last bit: nothing has moved there


@pytest.mark.parametrize("actuator", ["motor", "velocity", "damper"])
def test_controls_that_are_no_positions_stay(actuator: str) -> None:
    limits = 'ctrlrange="0 1"' if actuator == "damper" else ""
    _, heard, _ = moved(f'<{actuator} joint="x" {limits}/>')
    np.testing.assert_array_equal(heard, 0.0)
