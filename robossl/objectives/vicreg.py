"""The three terms of VICReg (Bardes, Ponce and LeCun, ICLR 2022), as pure functions of embeddings [B, D]."""

import torch
import torch.nn.functional as F
from torch import Tensor

_EPSILON = 1e-4


def invariance_loss(x: Tensor, y: Tensor) -> Tensor:
    """Returns the mean squared distance per element between two views' embeddings."""
    return F.mse_loss(x, y)


def variance_loss(z: Tensor) -> Tensor:
    """Returns the mean shortfall of each dimension's standard deviation below 1: a hinge against collapse."""
    return F.relu(1.0 - torch.sqrt(z.var(dim=0) + _EPSILON)).mean()


def covariance_loss(z: Tensor) -> Tensor:
    """Returns the sum of the squared covariances of different dimensions, divided by D."""
    num_samples, dim = z.shape
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (num_samples - 1)
    return (covariance.pow(2).sum() - covariance.diagonal().pow(2).sum()) / dim
