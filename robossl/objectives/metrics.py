"""How good a representation is, measured without training an agent.

Every figure depends on how many samples it is taken from: compare at equal N.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_EPSILON = 1e-7


def rankme(Z: Tensor) -> float:
    """Returns the effective rank of features [N, D] by RankMe (Garrido et al., ICML 2023), in [1, min(N, D)].

    The exponential of the entropy of the singular values' shares; the features are not centred.
    """
    sigma = torch.linalg.svdvals(Z.double())
    share = sigma / sigma.sum().clamp(min=_EPSILON) + _EPSILON
    return float(torch.exp(-(share * share.log()).sum()))


def linear_probe_r2(Z_train: Tensor, S_train: Tensor, Z_test: Tensor, S_test: Tensor, *, ridge: float = 1e-3) -> Tensor:
    """Returns how much of each factor a linear map of the features tells, R^2 [K] on the test samples.

    Features and factors are standardised by the training samples. Split by episode, never by frame. A factor that is
    constant in the test samples has R^2 0.

    Args:
        Z_train: [N, D] features.
        S_train: [N, K] factors of the simulator's state.
        Z_test: [M, D].
        S_test: [M, K].
        ridge: penalty per training sample.

    Raises:
        ValueError: if shapes do not belong together or there are fewer than two samples.
    """
    if Z_train.shape[0] != S_train.shape[0] or Z_test.shape[0] != S_test.shape[0] or min(len(Z_train), len(Z_test)) < 2:
        raise ValueError(
            f"a probe needs as many features as factors and two samples, got {list(Z_train.shape)} and "
            f"{list(S_train.shape)} to fit, {list(Z_test.shape)} and {list(S_test.shape)} to test"
        )
    x_train, x_test = _standardised(Z_train, Z_test)
    y_train, y_test = _standardised(S_train, S_test)
    penalty = ridge * len(x_train) * torch.eye(x_train.shape[1], dtype=x_train.dtype, device=x_train.device)
    weights = torch.linalg.solve(x_train.T @ x_train + penalty, x_train.T @ y_train)
    error = (y_test - x_test @ weights).pow(2).sum(dim=0)
    total = (y_test - y_test.mean(dim=0)).pow(2).sum(dim=0)
    return torch.where(total > _EPSILON, 1.0 - error / total.clamp(min=_EPSILON), 0.0).float()


def mean_pairwise_cosine(Z: Tensor) -> float:
    """Returns the mean cosine similarity of different samples of [N, D]: 1 where all features collapsed to one."""
    unit = F.normalize(Z.double(), dim=-1)
    num = len(unit)
    return float((unit.sum(dim=0).pow(2).sum() - unit.pow(2).sum()) / (num * (num - 1)))


def feature_std(Z: Tensor) -> float:
    """Returns the mean over features of their standard deviation over the samples [N, D]: 0 where collapsed."""
    return float(Z.double().std(dim=0).mean())


def _standardised(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    train, test = train.double(), test.double()
    mean, std = train.mean(dim=0), train.std(dim=0)
    std = torch.where(std > _EPSILON, std, torch.ones_like(std))
    return (train - mean) / std, (test - mean) / std
