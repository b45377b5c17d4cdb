"""Proximal policy optimisation on pixels and vectors."""

from robossl.agents.ppo.config import PPOConfig
from robossl.agents.ppo.policy import PPOPolicy
from robossl.agents.ppo.ppo import PPO

__all__ = ["PPO", "PPOConfig", "PPOPolicy"]
