"""Latent self-prediction: from one observation and the actions taken, foretell what a slow copy will see.

Self-Predictive Representations (Schwarzer et al., ICLR 2021) for continuous actions.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robossl.core.errors import UserError
from robossl.data.batches import WindowBatch
from robossl.nets import MultimodalEncoder, encode_window, mlp
from robossl.nets.ema import follow, frozen_copy
from robossl.objectives.objective import Objective, encode, encoded_dim, no_loss, or_none, require_weights, where_true
from robossl.objectives.views import ViewConfig, make_view


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentPredictionConfig:
    """Options of `LatentPrediction`.

    Attributes:
        weight: of the loss among others.
        num_steps: K, how far it looks ahead.
        tau: how fast targets follow: 1 is the encoder itself.
        hidden: width of the transition network and the projector.
        projection: size of what is compared.
        view: of every observation, drawn for each alone.
    """

    min_windows: ClassVar[int] = 2  # batch normalisation needs two samples
    kind: Literal["latent_prediction"] = "latent_prediction"
    weight: float = 1.0
    num_steps: int = 3
    tau: float = 0.05
    hidden: int = 256
    projection: int = 128
    view: ViewConfig = field(default_factory=lambda: ViewConfig(jitter=0.0))

    def __post_init__(self) -> None:
        require_weights(self, "weight")
        if self.num_steps < 1 or not 0.0 < self.tau <= 1.0:
            raise UserError(
                f"latent_prediction: needs num_steps >= 1 and 0 < tau <= 1, got {self.num_steps} and {self.tau}"
            )


class LatentPrediction(Objective):
    """Rolls z_0 forward with actions a_0 .. a_{K-1} and compares with the EMA copy's view of o_1 .. o_K."""

    name: ClassVar[str] = "latent_prediction"

    def __init__(self, config: LatentPredictionConfig, encoder: MultimodalEncoder, action_dim: int) -> None:
        super().__init__()
        config.view.require_fit(encoder.observation)
        self.config = config
        self.window, self.reach = config.num_steps + 1, f"num_steps {config.num_steps}"
        dim = encoded_dim(encoder)
        self.transition = mlp((dim + action_dim, config.hidden, dim))
        self.projector = nn.Sequential(
            mlp((dim, config.hidden, config.projection), batch_norm=True), nn.BatchNorm1d(config.projection)
        )
        self.predictor = mlp((config.projection, config.projection))
        self.target_encoder = frozen_copy(encoder)
        self.target_projector = frozen_copy(self.projector)

    def forward(
        self, encoder: MultimodalEncoder, batch: WindowBatch, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Objective.forward`."""
        is_real = self.usable(batch.mask).flatten()
        real = where_true(is_real)
        if len(real) < self.config.min_windows:
            return no_loss(batch), {}
        z = encode(encoder, make_view(batch.step(0), self.config.view, generator, batch.coloured))
        future = self._rollout(z, batch.action).flatten(0, 1)[real]  # [n, D], the n steps before episodes' ends
        loss = cosine_loss(self.predictor(self.projector(future)), self._targets(batch, real, generator))
        return or_none(loss, is_real), {}

    def usable(self, mask: Tensor) -> Tensor:
        """Returns which of o_1 .. o_K are real, [B, K]."""
        return mask[:, 1 : self.window]

    def after_step(self, encoder: MultimodalEncoder) -> None:
        """See `Objective.after_step`."""
        follow(self.target_encoder, encoder, self.config.tau)
        follow(self.target_projector, self.projector, self.config.tau)

    def _rollout(self, z: Tensor, action: Tensor) -> Tensor:
        """Returns the foretold z_1 .. z_K [B, K, D] of z_0 [B, D]."""
        future = []
        for t in range(self.config.num_steps):
            z = z + self.transition(torch.cat([z, action[:, t]], dim=-1))
            future.append(z)
        return torch.stack(future, dim=1)

    def _targets(self, batch: WindowBatch, real: Tensor, generator: torch.Generator) -> Tensor:
        """Returns what the slow copy makes of those of o_1 .. o_K [B * K] that `real` [n] says: [n, P]."""
        later = {key: value[:, 1 : self.window] for key, value in batch.obs.items()}
        view = partial(make_view, config=self.config.view, generator=generator, coloured=batch.coloured)
        z = encode_window(lambda obs: encode(self.target_encoder, view(obs)), later)
        projected: Tensor = self.target_projector(z.flatten(0, 1)[real])
        return projected


def cosine_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Returns the mean of 1 - cosine similarity of [n, D] and [n, D], in [0, 2]."""
    return (1.0 - F.cosine_similarity(predicted, target, dim=-1)).mean()
