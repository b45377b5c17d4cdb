import numpy as np
import pytest
from training_toys import HEIGHT, SPEC, WIDTH, ConstantAgent, LineEnv

from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.training.policy import AgentPolicy, RandomPolicy
from robossl.training.rollout import Rollout


def test_an_agent_sees_exactly_what_it_saw_in_training():
    agent, env = ConstantAgent(0.3), LineEnv(3)
    policy = AgentPolicy(agent, SPEC.observation, frame_stack=3)
    rollout = Rollout(env, policy)
    trained = SB3VecEnv(LineEnv(3), frame_stack=3)
    expected = trained.reset()
    for _ in range(25):  # through several ends of episodes
        rollout.step()
        assert set(agent.observation) == set(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(agent.observation[key], value)
        expected, *_ = trained.step(np.full((3, 1), 0.3, np.float32))
    assert agent.observation["rgb_front"].shape == (3, 9, HEIGHT, WIDTH)
    assert agent.observation["rgb_front"].flags.c_contiguous


def test_random_actions_are_uniform_held_and_renewed_with_the_episode():
    generator = np.random.default_rng(0)
    policy = RandomPolicy(500, 2, generator, hold_steps=4.0)
    obs = {"x": np.zeros((500, 1))}
    actions = np.stack([policy.act(obs, {}) for _ in range(200)])
    held = (actions[1:] == actions[:-1]).all(axis=-1)
    assert held.mean() == pytest.approx(3 / 4, abs=0.01)
    assert actions.mean() == pytest.approx(0, abs=0.02)
    assert np.square(actions).mean() == pytest.approx(1 / 3, abs=0.01)
    assert np.abs(actions).max() <= 1
    policy.reset(np.array([3, 7]))
    changed = (policy.act(obs, {}) != actions[-1]).any(axis=-1)
    assert changed[[3, 7]].all()
    assert changed.mean() < 0.4


def test_random_actions_repeat_with_their_seed():
    def draw(seed):
        policy = RandomPolicy(4, 1, np.random.default_rng(seed), hold_steps=2.0)
        return np.stack([policy.act({}, {}) for _ in range(20)])

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_a_held_action_cannot_be_shorter_than_a_step():
    with pytest.raises(ValueError, match="at least 1 step"):
        RandomPolicy(1, 1, np.random.default_rng(0), hold_steps=0.5)
