"""PPO's networks: one encoder below a Gaussian actor and a critic, all trained by one optimiser."""

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from robossl.agents import gaussian
from robossl.agents.optimisation import parameter_groups
from robossl.nets import MultimodalEncoder, mlp, seeded_init
from robossl.nets.mlp import orthogonal_init
from robossl.nets.optimisers import adam

_ACTION_GAIN, _VALUE_GAIN = 0.01, 1.0  # arXiv 2005.12729: small first actions
_ADAM_EPS = 1e-5  # as SB3 and the original PPO


class PPOPolicy(BasePolicy):
    """Acts on observations {key: [B, ...]}; `predict` is SB3's. Actions are unbounded here and clipped for the world.

    Args:
        observation_space, action_space: checked by the agent.
        lr_schedule: of the optimiser.
        encoder: which it takes over.
        seed: of the heads' first weights.
        encoder_rate: the encoder's own learning rate.
        hidden, log_std_init: see `PPOConfig`.
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
        hidden: tuple[int, ...] = (64, 64),
        log_std_init: float = 0.0,
    ) -> None:
        super().__init__(observation_space, action_space, normalize_images=False)
        self.encoder = encoder
        with seeded_init(seed):
            self.actor = _head((encoder.features_dim, *hidden, action_space.shape[0]), _ACTION_GAIN)
            self.critic = _head((encoder.features_dim, *hidden, 1), _VALUE_GAIN)
        self.log_std = nn.Parameter(torch.full(action_space.shape, float(log_std_init)))
        heads = [self.log_std, *self.actor.parameters(), *self.critic.parameters()]
        rate = lr_schedule(1.0)
        groups = parameter_groups(heads, encoder, learning_rate=rate, encoder_rate=encoder_rate)
        self.optimizer = adam(groups, rate, eps=_ADAM_EPS)

    def forward(
        self, obs: dict[str, Tensor], deterministic: bool = False, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns actions [B, A], values [B] and log-probabilities [B], from one pass of the encoder."""
        features = self.encoder(obs)
        mean = self.actor(features)
        action = mean if deterministic else gaussian.sample(mean, self.log_std, generator)
        return action, self.critic(features).squeeze(-1), gaussian.log_prob(action, mean, self.log_std)

    def evaluate_actions(self, obs: dict[str, Tensor], actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns values [B], log-probabilities [B] of actions [B, A], and the entropy []."""
        features = self.encoder(obs)
        log_prob = gaussian.log_prob(actions, self.actor(features), self.log_std)
        return self.critic(features).squeeze(-1), log_prob, gaussian.entropy(self.log_std)

    def predict_values(self, obs: dict[str, Tensor]) -> Tensor:
        """Returns values [B]."""
        values: Tensor = self.critic(self.encoder(obs)).squeeze(-1)
        return values

    def _predict(self, observation: dict[str, Tensor], deterministic: bool = False) -> Tensor:  # type: ignore[override]
        action: Tensor = self(observation, deterministic)[0]
        return action


def _head(sizes: tuple[int, ...], gain: float) -> nn.Sequential:
    head = mlp(sizes)
    orthogonal_init(head)
    nn.init.orthogonal_(head[-1].weight, gain=gain)  # type: ignore[arg-type]
    return head
