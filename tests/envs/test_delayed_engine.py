"""Commands that take effect late, to the physics step."""

from dataclasses import replace

import numpy as np
import pytest

from robossl.core import Stream, UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.make import make_env, make_task
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.task_env import TaskEnv

NUM_SUBSTEPS = 4
INTEGRATOR = """
<mujoco>
  <option timestep="0.01" gravity="0 0 0"/>
  <worldbody><body><joint name="x" type="slide"/><geom size="0.1" mass="1"/></body></worldbody>
  <actuator><general joint="x" dyntype="integrator" gaintype="fixed" gainprm="0"/></actuator>
</mujoco>
"""
"""`act` is the sum of all controls so far, times the time step: it tells which control acted when."""


def sums(delay: int, decisions: np.ndarray, num_worlds: int = 2) -> np.ndarray:  # type: ignore[type-arg]
    """Returns `act` after each decision, [decisions, N], for controls [decisions]."""
    engine = DelayedEngine(MujocoEngine(load_model(INTEGRATOR), num_worlds, 1), delay=delay, num_substeps=NUM_SUBSTEPS)
    engine.reset(np.arange(num_worlds))
    engine.forward()
    found = []
    for value in decisions:
        engine.step(np.full((num_worlds, 1), value), NUM_SUBSTEPS)
        found.append(engine.read("act")[:, 0].copy())
    engine.close()
    return np.array(found)


@pytest.mark.parametrize("delay", [0, 1, 3, 4, 5, 8, 11])
def test_each_control_acts_from_its_delay_on(delay: int) -> None:
    controls = np.array([3.0, -1.0, 5.0, 2.0, 7.0])
    each = np.concatenate([np.zeros(delay), np.repeat(controls, NUM_SUBSTEPS)])[: len(controls) * NUM_SUBSTEPS]
    expected = 0.01 * np.cumsum(each)[NUM_SUBSTEPS - 1 :: NUM_SUBSTEPS]
    np.testing.assert_allclose(sums(delay, controls), np.repeat(expected[:, None], 2, axis=1), rtol=1e-6)


def test_until_a_control_acts_those_of_the_start_do_to_the_last_bit() -> None:
    engine = DelayedEngine(MujocoEngine(load_model(INTEGRATOR), 2, 1), delay=4, num_substeps=NUM_SUBSTEPS)
    engine.reset(np.arange(2), ("ctrl",), np.full((2, 1), 0.1))
    engine.forward()
    engine.step(np.ones((2, 1)), NUM_SUBSTEPS)
    assert (engine.view("ctrl") == 0.1).all()


def delayed_env(delay_s: float, num_worlds: int = 2):  # type: ignore[no-untyped-def]
    config = EnvConfig(id="robossl/ArmPush-v0", num_worlds=num_worlds, num_threads=1, delay_s=delay_s)
    return make_env(config, WorldSeed(seed=1, stream=Stream.EVAL))


def test_a_state_put_back_goes_on_to_the_last_bit() -> None:
    env, action = delayed_env(0.05), np.array([[0.5, -0.5, 0.2], [1.0, 1.0, -1.0]])
    env.reset()
    for _ in range(3):
        env.step(action)
    state = env.get_state()
    first = env.step(-action).obs["proprio"]
    env.step(action)
    env.set_state(state)
    np.testing.assert_array_equal(env.step(-action).obs["proprio"], first)
    env.close()


def test_a_new_episode_hears_nothing_of_the_last_one() -> None:
    env, action = delayed_env(0.2), np.full((2, 3), 1.0)
    env.reset()
    for _ in range(5):
        env.step(action)
    env.reset(first_episode=7)
    after = [env.step(0 * action).obs["proprio"] for _ in range(3)]
    fresh = delayed_env(0.2)
    fresh.reset(first_episode=7)
    for obs in after:
        np.testing.assert_array_equal(obs, fresh.step(0 * action).obs["proprio"])
    env.close()
    fresh.close()


def test_without_a_delay_nothing_is_between() -> None:
    env = delayed_env(0.0)
    assert isinstance(env.engine, MujocoEngine)
    env.close()


def test_what_records_contacts_can_be_late_too() -> None:
    config = EnvConfig(num_worlds=2, num_threads=1, delay_s=0.1, observations=("proprio",))
    env = make_env(config, WorldSeed(seed=1, stream=Stream.EVAL))
    env.reset()
    turned = env.step(np.ones((2, 1))).obs["proprio"][:, 1]
    prompt = make_env(
        EnvConfig(num_worlds=2, num_threads=1, observations=("proprio",)), WorldSeed(seed=1, stream=Stream.EVAL)
    )
    prompt.reset()
    np.testing.assert_allclose(turned, prompt.step(np.ones((2, 1))).obs["proprio"][:, 1], atol=1e-3)  # at the end
    env.close()
    prompt.close()


def test_foreign_environments_and_senseless_delays_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be told commands late"):
        make_env(EnvConfig(id="Pendulum-v1", num_worlds=1, delay_s=0.1), WorldSeed())
    with pytest.raises(UserError, match="delay-s must be finite and not negative, got -1"):
        EnvConfig(delay_s=-1.0)
    with pytest.raises(UserError, match=r"delay-s must be at most 60, got 10000000\.0"):
        EnvConfig(delay_s=1e7)
    with pytest.raises(UserError, match="a delay of 3 ms acts as none: it is rounded to whole physics steps"):
        delayed_env(0.003)


@pytest.mark.slow
def test_commands_are_as_late_in_warp() -> None:
    pytest.importorskip("mujoco_warp")
    config = EnvConfig(id="robossl/ArmReach-v0", num_worlds=2, num_threads=1, delay_s=0.03)
    late, warp, prompt = (
        make_env(replace(config, **change), WorldSeed(seed=1, stream=Stream.EVAL))
        for change in ({}, {"engine": "warp"}, {"delay_s": 0.0})  # type: ignore[arg-type]
    )
    seen = []
    for env in (late, warp, prompt):
        env.reset()
        for action in (0.5, -1.0, 0.7):
            obs = env.step(np.full((2, 3), action)).obs["proprio"]
        seen.append(obs)
        env.close()
    np.testing.assert_allclose(seen[1], seen[0], atol=1e-4)
    assert np.abs(seen[2] - seen[0]).max() > 1e-2


def test_what_is_drawn_and_stored_of_late_worlds_is_their_physics() -> None:
    pictures = ("rgb_static", "flow_wrist")
    config = EnvConfig(
        id="robossl/ArmPush-v0", num_worlds=2, num_threads=1, delay_s=0.05, observations=pictures, image_size=(16, 12)
    )
    late = TaskEnv(make_task(config.id, None), config, WorldSeed(seed=1, stream=Stream.EVAL))
    late.reset()
    late.step(np.full((2, 3), 0.5))
    before = late.world_state()
    seen = late.step(np.full((2, 3), -0.5)).obs
    prompt = TaskEnv(make_task(config.id, None), replace(config, delay_s=0.0), WorldSeed(seed=1, stream=Stream.EVAL))
    prompt.reset()
    for state in (before, late.world_state()):
        prompt.pictures.keep(None, prompt._elapsed)
        prompt.engine.set_state(state)
    for key, picture in prompt.pictures._shots[0].renderer.render().items():
        np.testing.assert_array_equal(seen[key], picture)
    looks = late.render_appearances(2, ("rgb_static",))["rgb_static"]
    prompt._elapsed[:] = 2
    np.testing.assert_array_equal(looks, prompt.render_appearances(2, ("rgb_static",))["rgb_static"])
    late.close()
    prompt.close()
