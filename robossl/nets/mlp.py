"""Multi-layer perceptrons and the one way in which this project starts a network."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

_RELU_GAIN = 2.0**0.5


def mlp(sizes: Sequence[int], *, batch_norm: bool = False) -> nn.Sequential:
    """Builds Linear layers with ReLU between them and none after the last: [..., sizes[0]] -> [..., sizes[-1]].

    Args:
        sizes: of input, hidden layers and output.
        batch_norm: normalises before every ReLU (the input is then [B, D]).
    """
    layers: list[nn.Module] = []
    for index, (num_in, num_out) in enumerate(itertools.pairwise(sizes)):
        if index > 0:
            layers += [nn.BatchNorm1d(num_in)] if batch_norm else []
            layers.append(nn.ReLU())
        layers.append(nn.Linear(num_in, num_out))
    return nn.Sequential(*layers)


def orthogonal_init(module: nn.Module) -> None:
    """Starts every Linear and Conv2d of `module` with orthogonal weights for ReLU and zero biases."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.orthogonal_(layer.weight, gain=_RELU_GAIN)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Makes the networks built inside depend on `seed` alone, and leaves torch's CPU generator as it was.

    torch's layers draw their first weights from the global CPU generator; nothing else of this project does.
    Networks are built on the CPU and moved afterwards, so that a seed gives the same weights on every device.
    """
    state = torch.random.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
