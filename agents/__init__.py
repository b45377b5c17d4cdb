"""RL agents: stable-baselines3 algorithms with one shared, pretrainable encoder."""

from robossl.agents.augmentation import AugmentConfig
from robossl.agents.encoder_options import EncoderOptions, Representation
from robossl.agents.ppo import PPO, PPOConfig
from robossl.agents.replay_buffer import ReplayBuffer
from robossl.agents.sac import SAC, SACConfig

__all__ = [
    "PPO",
    "SAC",
    "AugmentConfig",
    "EncoderOptions",
    "PPOConfig",
    "ReplayBuffer",
    "Representation",
    "SACConfig",
]
