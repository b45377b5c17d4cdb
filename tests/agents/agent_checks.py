"""What tests of all agents look at."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from robossl.objectives import InverseDynamicsConfig

OBJECTIVES = (InverseDynamicsConfig(hidden=(16,)),)


def weights(module: nn.Module) -> list[torch.Tensor]:
    """Returns copies of everything that a file would hold."""
    return [value.clone() for value in module.state_dict().values()]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    """Tells whether all are equal, bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def evaluate(agent: Any, env: VecEnv) -> float:
    """Returns the mean reward of twenty deterministic steps."""
    obs, rewards = env.reset(), []
    for _ in range(20):
        obs, reward, _, _ = env.step(agent.predict(obs, deterministic=True)[0])
        rewards.append(reward.mean())
    return float(np.mean(rewards))
