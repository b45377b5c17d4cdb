"""Inverse dynamics: tell the action from what was seen before and after it.

As in SGI's pretraining (Schwarzer et al., NeurIPS 2021), for continuous actions: keeps what the robot can influence.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from robossl.core.errors import UserError
from robossl.data.batches import WindowBatch
from robossl.nets import MultimodalEncoder, encode_window, mlp
from robossl.objectives.objective import Objective, encode, encoded_dim, masked_mean, require_weights
from robossl.objectives.views import ViewConfig, make_window_view

_NO_VARIANCE = 1e-8  # of actions in [-1, 1], but for rounding: one alone, or all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseDynamicsConfig:
    """Options of `InverseDynamics`.

    Attributes:
        weight: of the loss among others.
        num_steps: K, how many consecutive actions of a window are told.
        hidden: sizes of the head's hidden layers.
        view: of every observation, the same for a whole window: a shift between two moments would look like motion.
    """

    min_windows: ClassVar[int] = 1
    kind: Literal["inverse_dynamics"] = "inverse_dynamics"
    weight: float = 1.0
    num_steps: int = 3
    hidden: tuple[int, ...] = (256,)
    view: ViewConfig = field(default_factory=lambda: ViewConfig(jitter=0.0))

    def __post_init__(self) -> None:
        require_weights(self, "weight")
        if self.num_steps < 1:
            raise UserError(f"inverse_dynamics: needs num_steps >= 1, got {self.num_steps}")


class InverseDynamics(Objective):
    """Predicts a_t from z_t and z_{t+1} with the mean squared error over K steps."""

    name: ClassVar[str] = "inverse_dynamics"

    def __init__(self, config: InverseDynamicsConfig, encoder: MultimodalEncoder, action_dim: int) -> None:
        super().__init__()
        config.view.require_fit(encoder.observation)
        self.config = config
        self.window, self.reach = config.num_steps + 1, f"num_steps {config.num_steps}"
        self.head = mlp((2 * encoded_dim(encoder), *config.hidden, action_dim))

    def forward(
        self, encoder: MultimodalEncoder, batch: WindowBatch, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Objective.forward`."""
        steps = self.config.num_steps
        seen = {key: value[:, : self.window] for key, value in batch.obs.items()}
        view = make_window_view(seen, self.config.view, generator, batch.coloured)
        z = encode_window(lambda obs: encode(encoder, obs), view)  # [B, K + 1, D]
        predicted = self.head(torch.cat([z[:, :-1], z[:, 1:]], dim=-1))  # [B, K, A]
        action, real = batch.action[:, :steps], self.usable(batch.mask)
        loss = action_loss(predicted, action, real)
        mean = (action * real[..., None]).sum(dim=(0, 1)) / real.sum().clamp(min=1)
        floor = action_loss(mean.expand_as(action), action, real)
        r2 = torch.where(floor > _NO_VARIANCE, 1.0 - loss.detach() / floor, math.nan)
        return loss, {f"{self.name}_r2": r2}

    def usable(self, mask: Tensor) -> Tensor:
        """Returns which actions are real, [B, K]."""
        return mask[:, 1 : self.window]


def action_loss(predicted: Tensor, action: Tensor, mask: Tensor) -> Tensor:
    """Returns the squared error of actions [B, K, A], averaged over A and where `mask` [B, K]; 0 where none is."""
    return masked_mean((predicted - action).pow(2).mean(dim=-1), mask)
