"""What a self-supervised objective is: the same class serves pretraining and auxiliary losses."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from robossl.core.errors import UserError
from robossl.data.batches import WindowBatch
from robossl.nets import MultimodalEncoder


class Objective(nn.Module, ABC):
    """A loss over windows of experience, with the heads, target copies and queues that it needs.

    It holds no reference to the encoder that it trains, so its parameters are those of its heads alone. Built as
    `Class(config, encoder, action_dim)`.

    Attributes:
        name: in metrics and checkpoints.
        window: how many consecutive observations it needs; it reads the first ones of longer windows.
        reach: the setting that says so, and its value.
    """

    name: ClassVar[str]
    window: int
    reach: str

    @abstractmethod
    def forward(
        self, encoder: MultimodalEncoder, batch: WindowBatch, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss and detached 0-d metrics.

        The loss is a scalar, 0 where fewer than the config's `min_windows` of `usable` are true. A metric is NaN where
        it is not defined.
        """

    @abstractmethod
    def usable(self, mask: Tensor) -> Tensor:
        """Returns which parts of windows with this `mask` [B, T] it learns from: bool, of a shape of its own."""

    def after_step(self, encoder: MultimodalEncoder) -> None:
        """Follows the encoder after an optimiser's step, where the objective keeps a copy of it."""


def encode(encoder: MultimodalEncoder, obs: Mapping[str, Tensor]) -> Tensor:
    """Returns what objectives train, [B, D]: the pictures' features, or all features where there are no pictures.

    With proprioception among the features every objective could be met without looking: it moves smoothly, tells the
    action and needs no invariance.
    """
    return encoder.encode_pictures(obs) if encoder.picture_keys else encoder(obs)


def encoded_dim(encoder: MultimodalEncoder) -> int:
    """Returns D of `encode`.

    Raises:
        UserError: if the encoder has nothing to train.
    """
    if not any(True for _ in encoder.parameters()):
        raise UserError("the encoder passes raw vectors on and has no weights: an objective has nothing to train")
    return encoder.pictures_dim or encoder.features_dim


def require_weights(config: Any, *names: str) -> None:
    """Checks that these fields of an objective's config can weigh losses.

    Raises:
        UserError: if one is negative or not finite.
    """
    for name in names:
        if not 0 <= getattr(config, name) < math.inf:
            raise UserError(f"{config.kind}: {name} must be a finite number from 0 on, got {getattr(config, name)}")


def no_loss(batch: WindowBatch) -> Tensor:
    """Returns the loss of a batch without a complete window: 0, and `backward` works."""
    return torch.zeros((), device=batch.device, requires_grad=True)


def rows(obs: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    """Returns the observations {key: [n, ...]} in the rows `index` [n]."""
    return {key: value[index] for key, value in obs.items()}


def where_true(mask: Tensor) -> Tensor:
    """Returns the rows where `mask` [B] is true.

    On a GPU they are repeated up to B: there, shapes that depend on values would have to be waited for. See `repeats`
    and `or_none`.
    """
    if not mask.is_cuda:
        return mask.nonzero().flatten()
    first = torch.argsort(mask.to(torch.uint8), descending=True, stable=True)
    return first[torch.arange(len(mask), device=mask.device) % mask.sum().clamp(min=1)]


def repeats(mask: Tensor) -> Tensor | None:
    """Returns how often each of the rows `where_true(mask)` is there, on average []; None where they are there once."""
    return len(mask) / mask.sum().clamp(min=2) if mask.is_cuda else None


def or_none(loss: Tensor, mask: Tensor) -> Tensor:
    """Returns `loss` [] of the rows `where_true(mask)`, on a GPU 0 where those are fewer than two."""
    return torch.where(mask.sum() > 1, loss, 0.0) if mask.is_cuda else loss


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean of `values` where `mask`, of the same shape, is true; 0 where it never is."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
