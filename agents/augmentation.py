"""Random shifts of the pictures in an agent's batches (DrQ, arXiv 2004.13649; for PPO: RAD, arXiv 2004.14990)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robossl.core import UserError
from robossl.data.augment import shifted_alike


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Chooses the augmentation.

    Attributes:
        shift_px: largest shift in each direction, in pixels.
    """

    shift_px: int = 2

    def __post_init__(self) -> None:
        """Checks the number."""
        if self.shift_px < 1:
            raise UserError(f"augment.shift-px must be at least 1, got {self.shift_px}")


def augmented(obs: dict[str, Tensor], config: AugmentConfig | None, generator: torch.Generator) -> dict[str, Tensor]:
    """Shifts the pictures [B, C, H, W] of `obs` at random: frames of a stack, and keys of one size, together."""
    if config is None:
        return obs
    pictures = {key: value for key, value in obs.items() if value.ndim == 4}
    return {**obs, **shifted_alike(pictures, config.shift_px, generator)}
