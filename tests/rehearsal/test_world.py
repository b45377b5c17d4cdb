"""The simulated robot's world: a decision in single steps of physics is the decision."""

import numpy as np
import pytest

from robossl.envs import EnvConfig
from robossl.rehearsal.world import SimulatedWorld


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
def test_a_decision_in_steps_is_that_of_the_engine(engine: str) -> None:
    if engine == "bullet":
        pytest.importorskip("pybullet")
    config = EnvConfig(id="robossl/ArmPush-v0", num_worlds=1, num_threads=1, engine=engine)
    states = []
    for in_steps in (True, False):
        world = SimulatedWorld(config, seed=3)
        world.begin(0)
        qpos = world.engine.view("qpos").copy()
        qpos[:, world.model.joint("block_free").qposadr[0] + 2] += 0.02  # so that the block lands
        world.engine.write("qpos", qpos, np.arange(1))
        world.engine.forward()
        ctrl = world.engine.view("ctrl")[0].copy()
        num_steps = round(world.decision_s / world.step_s)
        for _ in range(8):
            if in_steps:
                verdicts = [world.step(ctrl, judged=True) for _ in range(num_steps)]
                assert verdicts[-1] is not None
            else:
                world.engine.step(ctrl[None], num_steps)
        states.append(world.engine.get_state())
        world.close()
    np.testing.assert_array_equal(states[0], states[1])
