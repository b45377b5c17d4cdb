"""The three terms of VICReg (Bardes, Ponce and LeCun, ICLR 2022), as pure functions of embeddings [B, D]."""

import torch
import torch.nn.functional as F
from torch import Tensor

_EPSILON = 1e-4


def invariance_loss(x: Tensor, y: Tensor) -> Tensor:
    """Returns the mean squared distance per element between two views' embeddings."""
    return F.mse_loss(x, y)


def variance_loss(z: Tensor, repeats: Tensor | None = None) -> Tensor:
    """Returns the mean shortfall of each dimension's standard deviation below 1: a hinge against collapse.

    Args:
        z: [B, D].
        repeats: [], how often each sample stands in `z`; once where None.
    """
    return F.relu(1.0 - torch.sqrt(_unbiased(z.var(dim=0), len(z), repeats) + _EPSILON)).mean()


def covariance_loss(z: Tensor, repeats: Tensor | None = None) -> Tensor:
    """Returns the sum of the squared covariances of different dimensions, divided by D; `repeats` as above."""
    num_samples, dim = z.shape
    centred = z - z.mean(dim=0)
    covariance = _unbiased(centred.T @ centred / (num_samples - 1), num_samples, repeats)
    return (covariance.pow(2).sum() - covariance.diagonal().pow(2).sum()) / dim


def _unbiased(moments: Tensor, num_rows: int, repeats: Tensor | None) -> Tensor:
    """Returns second moments of `num_rows` rows, made those of the samples that the rows repeat."""
    return moments if repeats is None else moments * (num_rows - 1) / (num_rows - repeats)
