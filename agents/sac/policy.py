"""SAC's networks: one encoder, trained by the critic, below a squashed Gaussian actor and an ensemble of critics."""

import copy
import math

import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from robossl.agents import gaussian
from robossl.agents.optimisation import parameter_groups
from robossl.nets import MultimodalEncoder, mlp, seeded_init
from robossl.nets.optimisers import adam

_LOG_STD_MIN, _LOG_STD_MAX = -20.0, 2.0  # SB3's, so that its actor can hold the same policy


class Actor(nn.Module):
    """Maps features [B, D] to a Gaussian over actions [B, A] before tanh."""

    optimizer: torch.optim.Optimizer

    def __init__(self, features_dim: int, action_dim: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = mlp((features_dim, *hidden, 2 * action_dim))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and logarithm of the standard deviation, [B, A] each."""
        mean, log_std = self.layers(features).chunk(2, dim=-1)
        return mean, log_std.clamp(_LOG_STD_MIN, _LOG_STD_MAX)

    def sample(
        self, features: Tensor, generator: torch.Generator | None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns actions [B, A] and their log-probabilities [B], both differentiable; `noise` as in `gaussian`."""
        mean, log_std = self(features)
        return gaussian.sample_squashed(mean, log_std, generator, noise)


class Critic(nn.Module):
    """Maps features [B, D] and actions [B, A] to values [num_critics, B]; all critics in one batched product."""

    optimizer: torch.optim.Optimizer

    def __init__(self, num_inputs: int, hidden: tuple[int, ...], *, num_critics: int, layer_norm: bool) -> None:
        super().__init__()
        self.layer_norm = layer_norm
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in zip((num_inputs, *hidden), (*hidden, 1), strict=True):
            bound = 1.0 / math.sqrt(fan_in)  # as torch starts a Linear
            self.weights.append(nn.Parameter(torch.empty(num_critics, fan_in, fan_out).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(num_critics, 1, fan_out).uniform_(-bound, bound)))

    def forward(self, features: Tensor, action: Tensor) -> Tensor:
        """Returns one value per critic and row, [num_critics, B]."""
        x = torch.cat([features, action], dim=-1).expand(len(self.weights[0]), -1, -1)
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if index > 0:
                x = F.relu(F.layer_norm(x, x.shape[-1:]) if self.layer_norm else x)
            x = torch.baddbmm(bias, x, weight)
        return x.squeeze(-1)


class SACPolicy(BasePolicy):
    """Acts on observations {key: [B, ...]}; `predict` is SB3's.

    The critic's optimiser has what is not frozen of the encoder; the actor is given detached features. The target
    critic is a moving average of the critic's heads; it looks through the online encoder (as DrQ-v2, arXiv 2107.09645).

    Args:
        observation_space, action_space: checked by the agent.
        lr_schedule: of the optimisers.
        encoder: which it takes over.
        seed: of the heads' first weights.
        encoder_rate: the encoder's own learning rate.
        hidden, num_critics, critic_layer_norm: see `SACConfig`.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        *,
        encoder: MultimodalEncoder,
        seed: int,
        encoder_rate: float | None = None,
        hidden: tuple[int, ...] = (256, 256),
        num_critics: int = 2,
        critic_layer_norm: bool = True,
    ) -> None:
        super().__init__(observation_space, action_space, normalize_images=False, squash_output=True)
        self.encoder = encoder
        action_dim, features_dim = action_space.shape[0], encoder.features_dim
        with seeded_init(seed):
            self.actor = Actor(features_dim, action_dim, hidden)
            self.critic = Critic(
                features_dim + action_dim, hidden, num_critics=num_critics, layer_norm=critic_layer_norm
            )
        self.critic_target = copy.deepcopy(self.critic).requires_grad_(False)
        rate = lr_schedule(1.0)
        self.actor.optimizer = adam(self.actor.parameters(), rate)
        groups = parameter_groups(self.critic.parameters(), encoder, learning_rate=rate, encoder_rate=encoder_rate)
        self.critic.optimizer = adam(groups, rate)

    def act(
        self,
        obs: dict[str, Tensor],
        *,
        deterministic: bool,
        generator: torch.Generator | None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Returns actions [B, A] in [-1, 1]; standard normal `noise` [B, A] takes the place of what would be drawn."""
        features = self.encoder(obs)
        if deterministic:
            return torch.tanh(self.actor(features)[0])
        return self.actor.sample(features, generator, noise)[0]

    def forward(self, obs: dict[str, Tensor], deterministic: bool = False) -> Tensor:
        """Returns actions [B, A] in [-1, 1], drawn from torch's global generator."""
        return self._predict(obs, deterministic)

    def _predict(self, observation: dict[str, Tensor], deterministic: bool = False) -> Tensor:  # type: ignore[override]
        return self.act(observation, deterministic=deterministic, generator=None)
