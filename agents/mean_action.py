"""What an agent is without learning and without chance: the module that is exported."""

import copy

from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn


class MeanAction(nn.Module):
    """Maps {key: [B, ...]}, pictures stacked and channels-first, to the mean action [B, A] in [-1, 1].

    It is a copy on the CPU, in evaluation: what the agent learns afterwards does not reach it.
    """

    def __init__(self, policy: BasePolicy) -> None:
        super().__init__()
        self.policy = copy.deepcopy(policy).cpu().requires_grad_(False)
        self.eval()

    def forward(self, obs: dict[str, Tensor]) -> Tensor:
        """Acts as `predict(obs, deterministic=True)` does."""
        action: Tensor = self.policy._predict(obs, deterministic=True)
        return action.clamp(-1.0, 1.0)
