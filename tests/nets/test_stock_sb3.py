"""The encoder as a features extractor of agents that are stable-baselines3's own, and the replay below them."""

import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecEnv

from robossl.agents import ReplayBuffer
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.nets import EncoderConfig, MultimodalEncoder

KWARGS = {
    "features_extractor_class": MultimodalEncoder,
    "features_extractor_kwargs": {"config": EncoderConfig()},
    "normalize_images": False,
}


@pytest.fixture
def vec_env() -> VecEnv:
    with_three_frames = SB3VecEnv(make_env(EnvConfig(num_worlds=2, num_threads=1), WorldSeed()), frame_stack=3)
    yield with_three_frames
    with_three_frames.close()


def test_stock_ppo_learns_through_the_encoder(vec_env) -> None:
    agent = PPO("MultiInputPolicy", vec_env, n_steps=8, batch_size=16, policy_kwargs=KWARGS, device="cpu", seed=0)
    encoder = agent.policy.features_extractor
    before = [parameter.detach().clone() for parameter in encoder.parameters()]
    agent.learn(16)
    assert encoder.features_dim == agent.policy.features_dim
    assert any((old != new).any() for old, new in zip(before, encoder.parameters(), strict=True))


def test_stock_sac_learns_from_the_replay_that_stores_frames_once(vec_env) -> None:
    agent = SAC(
        "MultiInputPolicy", vec_env, buffer_size=400, learning_starts=20, batch_size=8, device="cpu", seed=0,
        replay_buffer_class=ReplayBuffer, replay_buffer_kwargs={"frame_stack": 3}, policy_kwargs=KWARGS,
    )  # fmt: skip
    agent.learn(28)
    batch = agent.replay_buffer.sample(64)
    older, newer = (obs["rgb_front"] for obs in (batch.observations, batch.next_observations))
    assert agent.replay_buffer.replay.observation["rgb_front"].shape == (3, 27, 48)
    assert agent._n_updates > 0
    assert torch.equal(older[:, 3:], newer[:, :6])
