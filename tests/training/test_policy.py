import dataclasses

import numpy as np
import pytest
from training_toys import HEIGHT, SPEC, WIDTH, ConstantAgent, LineEnv

from robossl.core import ArraySpec
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
    policy = RandomPolicy(TwoWays(500), seed=0, hold_steps=4.0)
    actions = np.stack([policy.act({}, {}) for _ in range(200)])
    held = (actions[1:] == actions[:-1]).all(axis=-1)
    assert held.mean() == pytest.approx(3 / 4, abs=0.01)
    assert actions.mean() == pytest.approx(0, abs=0.02)
    assert np.square(actions).mean() == pytest.approx(1 / 3, abs=0.01)
    assert np.abs(actions).max() <= 1
    policy.reset(np.array([3, 7]))
    changed = (policy.act({}, {}) != actions[-1]).any(axis=-1)
    assert changed[[3, 7]].all()
    assert changed.mean() < 0.4


def test_random_actions_follow_from_seed_world_episode_and_step_alone():
    def drawn(num_worlds, *, first_world=0, seed=1):
        env = LineEnv(num_worlds)
        policy = RandomPolicy(env, seed=seed, hold_steps=2.0)
        rollout, actions = Rollout(env, policy, first_world=first_world), {}
        for _ in range(25):  # through several ends of episodes
            keys, step = env.episode_keys(), env.elapsed.copy()
            action = rollout.step().action[:, 0].tolist()
            actions |= dict(zip(zip(*keys.values(), step.tolist(), strict=True), action, strict=True))
        return actions

    all_worlds, two, other = drawn(6), drawn(2, first_world=3), drawn(6, seed=2)
    assert two.items() <= all_worlds.items()
    assert len(set(two.values())) > 20
    assert not set(other.values()) & set(all_worlds.values())


def test_a_held_action_cannot_be_shorter_than_a_step():
    with pytest.raises(ValueError, match="at least 1 step"):
        RandomPolicy(LineEnv(1), seed=0, hold_steps=0.5)


class TwoWays(LineEnv):
    """The same, driven by two numbers."""

    def __init__(self, num_worlds):
        super().__init__(num_worlds)
        self.spec = dataclasses.replace(SPEC, action=ArraySpec(shape=(2,), low=-1, high=1))
