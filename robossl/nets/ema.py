"""Slowly following copies of networks: the targets of self-prediction."""

import copy
from typing import TypeVar

import torch
from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def frozen_copy(module: ModuleT) -> ModuleT:
    """Returns a copy whose parameters receive no gradient."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Moves `target` towards `source`: target <- (1 - tau) * target + tau * source. Buffers are copied."""
    for slow, fast in zip(target.parameters(), source.parameters(), strict=True):
        slow.lerp_(fast, tau)
    for held, current in zip(target.buffers(), source.buffers(), strict=True):
        held.copy_(current)
