"""Telling whether three moments stand in their reference order: the temporal part of TOV-VICReg."""

from functools import lru_cache
from itertools import permutations

import torch
from torch import Tensor

# Slots hold (before, now, after). The reference order is chronological; the released code's (now, before, after) is
# the same task with its classifier's inputs in another order.
ORDERS = tuple(permutations(range(3)))
_REFERENCE = (0, 1, 2)
_REVERSED = (2, 1, 0)


def order_labels(*, reversal_equivalent: bool) -> Tensor:
    """Returns [6]: 0 where an order of `ORDERS` is the reference, 1 elsewhere.

    Args:
        reversal_equivalent: counts the reversed order as the reference too: a slow robot's film looks alike both ways.
    """
    reference = (_REFERENCE, _REVERSED) if reversal_equivalent else (_REFERENCE,)
    return torch.tensor([float(order not in reference) for order in ORDERS])


@lru_cache
def _tables(device: torch.device, reversal_equivalent: bool) -> tuple[Tensor, Tensor]:
    """Returns all orders [6, 3] and their labels [6]; copied to the device once."""
    return torch.tensor(ORDERS, device=device), order_labels(reversal_equivalent=reversal_equivalent).to(device)


def draw_orders(
    num: int, generator: torch.Generator, *, balanced: bool, reversal_equivalent: bool
) -> tuple[Tensor, Tensor]:
    """Draws an order for each of `num` samples.

    Args:
        num: B.
        generator: whose device the results are on.
        balanced: draws both classes equally often instead of all orders.
        reversal_equivalent: see `order_labels`.

    Returns:
        orders [B, 3], a permutation of the slots each, and labels [B] in {0, 1}.
    """
    orders, labels = _tables(generator.device, reversal_equivalent)
    weights = torch.ones_like(labels)
    if balanced:
        weights = torch.where(labels > 0, 1.0 / labels.sum(), 1.0 / (1.0 - labels).sum())
    drawn = torch.multinomial(weights, num, replacement=True, generator=generator)
    return orders[drawn], labels[drawn]


def in_order(latents: Tensor, orders: Tensor) -> Tensor:
    """Puts the latents [B, 3, D] of the three moments in `orders` [B, 3] and joins them: [B, 3 * D]."""
    return torch.take_along_dim(latents, orders[:, :, None], dim=1).flatten(1)
