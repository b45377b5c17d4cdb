"""What is read is current whatever was computed before, and for whichever worlds, in the engines that MuJoCo keeps."""

import numpy as np
import pytest

from robossl.envs.engines import make_engine
from robossl.envs.mujoco_model import load_model

MODEL = load_model("""
<mujoco>
  <worldbody>
    <body pos="0 0 2"><joint name="hinge" axis="0 1 0"/><geom size="0.1" pos="0.3 0 0" mass="1"/></body>
  </worldbody>
  <sensor><e_kinetic/></sensor>
</mujoco>
""")
INERTIA = 0.3**2 + 0.4 * 0.1**2  # kg m^2, of the ball about the hinge
SPEEDS = np.array([[1.0], [2.0], [3.0]])


@pytest.fixture(params=["mujoco", "bullet"])
def engine(request):
    if request.param == "bullet":
        pytest.importorskip("pybullet")
    made = make_engine(request.param, MODEL, 3, 1)
    yield made
    made.close()


def turn(engine, speeds):
    engine.write("qvel", speeds, np.arange(3))
    engine.forward()


@pytest.mark.parametrize("field", ["sensordata", "geom_xpos"])
def test_a_kinetic_energy_alone_is_that_of_the_state(engine, field):
    for speeds in (SPEEDS[::-1], SPEEDS):
        turn(engine, speeds)
        engine.view(field)
    expected = 0.5 * INERTIA * SPEEDS**2
    np.testing.assert_allclose(engine.read("sensordata"), expected, rtol=1e-6)
    np.testing.assert_allclose(
        engine.step(np.zeros((3, 0)), 2, ("sensordata",))["sensordata"][:, 0], expected, rtol=1e-6
    )


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("ids", [[2, 0], [1, 1], [2, 0, 1]])
def test_worlds_can_be_asked_about_in_any_order(ids, num_threads):
    engine = make_engine("mujoco", MODEL, 3, num_threads)
    turn(engine, SPEEDS)
    everyone = make_engine("mujoco", MODEL, 3, 1)
    turn(everyone, SPEEDS)
    for name in ("qfrc_bias", "cvel", "xpos"):
        np.testing.assert_array_equal(engine.read(name, np.array(ids)), everyone.read(name)[ids])
