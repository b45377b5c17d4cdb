"""Our replay under agents that are stable-baselines3's own, against its own buffers."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from agent_checks import evaluate, same, weights
from gymnasium import spaces
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer
from stable_baselines3.common.buffers import ReplayBuffer as SB3ReplayBuffer
from stable_baselines3.common.vec_env import VecExtractDictObs, VecFrameStack, VecNormalize

from robossl.agents import ReplayBuffer
from robossl.core import UserError
from robossl.nets import MultimodalEncoder


class Recorder(ReplayBuffer):
    """Keeps what it was told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls: list[Any] = []

    def add(self, *args: Any) -> None:
        self.calls.append(copy.deepcopy(args))
        super().add(*args)


@pytest.fixture
def make(tiny):
    """Builds an agent of stable-baselines3 with our buffer; `buffer` is what the buffer is told."""

    def build(env, algorithm=SAC, *, buffer=None, buffer_class=Recorder, **options):
        kwargs: dict[str, Any] = {"normalize_images": False}
        if isinstance(env.observation_space, spaces.Dict):
            kwargs |= {"features_extractor_class": MultimodalEncoder, "features_extractor_kwargs": {"config": tiny}}
        policy = "MultiInputPolicy" if len(kwargs) > 1 else "MlpPolicy"
        options = {"buffer_size": 4_000, "learning_starts": 10_000, "seed": 0, "device": "cpu", **options}
        return algorithm(
            policy, env, policy_kwargs={**kwargs, "net_arch": [32]}, replay_buffer_class=buffer_class,
            replay_buffer_kwargs=buffer, **options,
        )  # fmt: skip

    return build


def transitions(batch: Any) -> dict[bytes, np.ndarray]:
    """Returns {observation, action and next observation as bytes: (done, reward, discount)}."""
    seen = [batch.observations, {"action": batch.actions}, batch.next_observations]
    arrays = [value for group in seen for value in (group.values() if isinstance(group, dict) else [group])]
    discounts = torch.ones_like(batch.dones) if batch.discounts is None else batch.discounts
    outcome = torch.cat([batch.dones, batch.rewards, discounts], dim=1).numpy()
    return {b"".join(array[i].numpy().tobytes() for array in arrays): outcome[i] for i in range(len(outcome))}


def assert_same_transitions(one: Any, other: Any) -> None:
    first, second = transitions(one), transitions(other)
    assert first.keys() == second.keys()
    np.testing.assert_allclose([first[key] for key in first], [second[key] for key in first], atol=1e-6)


def told(stock: type, agent: Any, calls: list[Any], **kwargs: Any) -> Any:
    """Returns a buffer of stable-baselines3's after the same calls."""
    buffer = stock(4_000, agent.observation_space, agent.action_space, "cpu", agent.n_envs, **kwargs)
    for call in calls:
        buffer.add(*call)
    return buffer


def experience(agent: Any, stock: type, num_steps: int, **kwargs: Any) -> tuple[Recorder, Any]:
    """Returns both buffers with the same experience; ours was told of one more step, in which no episode ends."""
    agent.learn(agent.n_envs * (num_steps + 1))
    ours: Any = agent.replay_buffer
    while ours.calls[-1][4].any():
        agent.learn(agent.n_envs, reset_num_timesteps=False)
    return ours, told(stock, agent, ours.calls[:-1], **kwargs)


def test_dict_transitions_are_those_of_sb3s_buffer(make, colour_env) -> None:
    agent = make(colour_env(4, length=6, deadly=0.15, frame_stack=2), buffer={"frame_stack": 2})
    ours, stock = experience(agent, DictReplayBuffer, 40)
    drawn = ours.sample(4_000)
    assert_same_transitions(drawn, stock.sample(4_000))
    assert (len(ours.replay), ours.size(), drawn.discounts) == (4 * stock.size(), stock.size(), None)
    assert 0.1 < drawn.dones.mean() < 0.3


@pytest.mark.parametrize("deadly", [0.0, 0.3])
def test_n_step_returns_are_those_of_sb3s_buffer(make, colour_env, deadly) -> None:
    env = VecExtractDictObs(colour_env(4, length=7, deadly=deadly, frame_stack=2), "rgb_front")
    steps = {"n_steps": 3, "gamma": 0.9}
    ours, stock = experience(make(env, buffer={"frame_stack": 2, **steps}), NStepReplayBuffer, 40, **steps)
    drawn, expected = ours.sample(10_000), stock.sample(4_000)
    going_on = expected.discounts * (1 - expected.dones)  # what both multiply the next value with
    assert_same_transitions(drawn, expected._replace(discounts=going_on))
    assert len(drawn.discounts.unique()) == (4 if deadly else 3)


def test_time_limits_count_as_ends_where_they_are_not_handled(make, colour_env) -> None:
    buffer = {"handle_timeout_termination": False}
    agent = make(colour_env(4, length=5), buffer=buffer).learn(4 * 40)
    assert agent.replay_buffer.sample(2_000).dones.mean().item() == pytest.approx(0.2, abs=0.05)


def test_worlds_that_are_reset_between_two_learns_are_not_joined(make, colour_env) -> None:
    agent = make(colour_env(4, length=50), buffer={"n_steps": 3, "gamma": 0.9})
    for _ in range(3):
        agent.learn(4 * 10)
    ours = agent.replay_buffer
    assert len(ours.replay) == 3 * 4 * 9  # without the newest step each time
    step, after = (obs["proprio"][:, 0] for obs in ours.sample(2_000)[0:3:2])
    assert set(torch.round((after - step) * 50).tolist()) == {1.0, 2.0, 3.0}


def stock_learner(make, env, **options):
    options = {"buffer": {"frame_stack": 2}, "gamma": 0.5, "learning_starts": 200, **options}
    return make(env, learning_rate=3e-3, ent_coef="auto_0.1", batch_size=64, **options)


def test_stock_sac_learns_the_colour_task_from_stacks_of_pictures(make, colour_env) -> None:
    agent = stock_learner(make, colour_env(8, frame_stack=2, deadly=0.1), seed=1)
    test_env = colour_env(8, frame_stack=2, seed=9)
    assert evaluate(agent, test_env) < -0.05
    agent.learn(1_600)
    assert evaluate(agent, test_env) > -0.04


def test_stock_sac_repeats_bit_for_bit_and_another_seed_differs(make, colour_env) -> None:
    runs = []
    for seed in (3, 3, 4):
        agent = stock_learner(make, colour_env(4, frame_stack=2), seed=seed, learning_starts=20).learn(96)
        runs.append(weights(agent.policy))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_the_batches_drawn_depend_on_the_agents_seed_or_their_own(make, colour_env) -> None:
    drawn = [
        make(colour_env(), seed=seed, buffer={"seed": own}).learn(80).replay_buffer.sample(32).observations["proprio"]
        for seed, own in ((1, None), (1, None), (2, None), (1, 7), (2, 7))
    ]
    equal = [torch.equal(drawn[a], drawn[b]) for a, b in ((0, 1), (0, 2), (0, 3), (3, 4))]
    assert equal == [True, False, False, True]


def test_td3_and_dqn_learn_from_it_too(make, colour_env) -> None:
    env = VecExtractDictObs(colour_env(), "proprio")
    td3 = make(env, TD3, buffer={}, learning_starts=20, batch_size=16).learn(60)
    assert td3.replay_buffer.sample(8).actions.dtype == torch.float32
    dqn = DQN("MlpPolicy", "CartPole-v1", replay_buffer_class=Recorder, learning_starts=20, seed=0, device="cpu").learn(
        90
    )
    ours = dqn.replay_buffer
    assert ours.sample(8).actions.dtype == torch.int64
    assert dqn._n_updates > 0
    assert_same_transitions(ours.sample(2_000), told(SB3ReplayBuffer, dqn, ours.calls[:-1]).sample(2_000))


def test_a_frame_is_stored_once(colour_env) -> None:
    env = colour_env(4, length=200, frame_stack=3)
    picture = spaces.Dict({"rgb_front": spaces.Box(0, 255, (9, 27, 48), np.uint8)})
    ours, stock = (
        buffer(4_020, picture, env.action_space, "cpu", 4, **kwargs)
        for buffer, kwargs in ((ReplayBuffer, {"frame_stack": 3}), (DictReplayBuffer, {}))
    )
    arrays = (stock.actions, stock.rewards, stock.dones, stock.timeouts)
    stock_bytes = sum(
        array.nbytes for array in (*arrays, *stock.observations.values(), *stock.next_observations.values())
    )
    assert ours.replay.num_bytes * 201 / 200 < 0.18 * stock_bytes


def test_what_it_cannot_do_is_refused_in_one_line(make, colour_env) -> None:
    with pytest.raises(UserError, match="nothing twice"):
        make(colour_env(), optimize_memory_usage=True)
    with pytest.raises(UserError, match=r"a Box or a Dict of Boxes as observations, got Discrete\(3\)"):
        ReplayBuffer(100, spaces.Discrete(3), colour_env().action_space)
    with pytest.raises(UserError, match=r"takes no VecNormalize of observations.*norm_obs=False"):
        make(VecNormalize(colour_env(), norm_obs_keys=["proprio"]), learning_starts=20).learn(40)
    with pytest.raises(UserError, match="learning_starts must be at least 4"):
        make(colour_env(), learning_starts=0).learn(8)
    padded_with_black = VecFrameStack(colour_env(), 2)
    with pytest.raises(UserError, match="'rgb_front' does not begin an episode with its first frame repeated"):
        make(padded_with_black, buffer={"frame_stack": 2}).learn(8)


@pytest.mark.parametrize(("stacked", "expected"), [(1, 3), (1, 2), (2, 3), (4, 2)])
def test_a_buffer_for_another_stack_of_frames_is_refused_when_it_is_made(stacked, expected) -> None:
    space = spaces.Dict({"rgb_front": spaces.Box(0, 255, (3 * stacked, 27, 48), np.uint8)})
    message = rf"'rgb_front' has {3 * stacked} channels: the environment's frame_stack is {stacked}, .*'s is {expected}"
    with pytest.raises(UserError, match=message):
        ReplayBuffer(100, space, spaces.Box(-1, 1, (1,)), "cpu", frame_stack=expected)


def test_stacks_that_are_not_told_to_be_such_are_kept_whole(make, colour_env) -> None:
    ours, stock = experience(make(colour_env(frame_stack=2)), DictReplayBuffer, 20)
    assert_same_transitions(ours.sample(2_000), stock.sample(2_000))


def test_colours_that_a_space_without_names_lets_pass_for_frames_are_refused_when_they_come(make, colour_env) -> None:
    agent = make(VecExtractDictObs(colour_env(), "rgb_front"), buffer={"frame_stack": 3})
    with pytest.raises(UserError, match="its 3 channels are not the 3 frames of frame_stack"):
        agent.learn(8)


def test_rewards_are_normalised_as_in_sb3s_buffer(make, colour_env) -> None:
    env = VecNormalize(colour_env(4, frame_stack=2), norm_obs=False, clip_reward=1.5)
    ours, stock = experience(make(env, buffer={"frame_stack": 2}), DictReplayBuffer, 40)
    normal = ours.sample(4_000, env)
    assert_same_transitions(normal, stock.sample(4_000, env))
    assert normal.rewards.min() == -1.5
    assert normal.rewards.unique().numel() > 20


def test_an_agent_learns_under_normalised_rewards_of_single_steps(make, colour_env) -> None:
    env = VecNormalize(colour_env(), norm_obs=False)
    agent = make(env, learning_starts=20, batch_size=16).learn(60)
    assert agent._n_updates > 0
    with pytest.raises(UserError, match="n_steps must be 1, got 3"):
        make(env, buffer={"n_steps": 3}, learning_starts=20).learn(60)
