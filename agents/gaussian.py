"""Log-probabilities of diagonal Gaussians, plain and squashed by tanh."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def log_prob(value: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Returns log N(value; mean, exp(log_std)) summed over the last axis: [..., A] -> [...]."""
    standard = (value - mean) * torch.exp(-log_std)
    return (-0.5 * standard.square() - log_std - _HALF_LOG_TWO_PI).sum(-1)


def entropy(log_std: Tensor) -> Tensor:
    """Returns the entropy of the Gaussian: [..., A] -> [...]."""
    return (log_std + 0.5 + _HALF_LOG_TWO_PI).sum(-1)


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator | None, noise: Tensor | None = None) -> Tensor:
    """Draws [..., A] from the Gaussian, differentiably; from torch's global generator where `generator` is None.

    Standard normal `noise` [..., A] takes the place of what would be drawn.
    """
    if noise is None:
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    return mean + torch.exp(log_std) * noise


def sample_squashed(
    mean: Tensor, log_std: Tensor, generator: torch.Generator | None, noise: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Draws tanh(u), u ~ N(mean, exp(log_std)), differentiably; see `sample`.

    Returns:
        The actions [..., A] in (-1, 1) and their log-probabilities [...] (SAC, arXiv 1801.01290, appendix C). The
        logarithm of 1 - tanh(u)^2 is written as 2 (log 2 - u - softplus(-2u)): exact also where tanh rounds to 1.
    """
    u = sample(mean, log_std, generator, noise)
    log_slope = 2.0 * (math.log(2.0) - u - F.softplus(-2.0 * u))
    return torch.tanh(u), log_prob(u, mean, log_std) - log_slope.sum(-1)
