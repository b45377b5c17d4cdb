import numpy as np
import pytest
import torch

from robossl.objectives.vicreg import covariance_loss, invariance_loss, variance_loss


def gaussian(num, dim, seed=0):
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_terms_equal_the_paper_s_formulas_written_out():
    x, y = gaussian(7, 4).numpy() * 0.3, gaussian(7, 4, seed=1).numpy()
    distance, shortfall, covariance = 0.0, 0.0, 0.0
    for i in range(7):
        distance += sum((x[i, d] - y[i, d]) ** 2 for d in range(4)) / 28
    for d in range(4):
        mean = sum(x[:, d]) / 7
        std = np.sqrt(sum((x[i, d] - mean) ** 2 for i in range(7)) / 6 + 1e-4)
        shortfall += max(0.0, 1.0 - std) / 4
        for e in range(4):
            if e != d:
                pairs = [(x[i, d] - mean) * (x[i, e] - x[:, e].mean()) for i in range(7)]
                covariance += (sum(pairs) / 6) ** 2 / 4
    assert invariance_loss(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(distance, rel=1e-12)
    assert variance_loss(torch.tensor(x)).item() == pytest.approx(shortfall, rel=1e-12)
    assert covariance_loss(torch.tensor(x)).item() == pytest.approx(covariance, rel=1e-12)


def test_repeated_samples_count_as_often_as_there_are():
    z = gaussian(12, 5) * 0.3
    repeated, repeats = z.repeat(4, 1), torch.tensor(4.0)
    assert variance_loss(repeated, repeats).item() == pytest.approx(variance_loss(z).item(), rel=1e-9)
    assert covariance_loss(repeated, repeats).item() == pytest.approx(covariance_loss(z).item(), rel=1e-9)


def test_variance_term_is_zero_at_unit_std_and_almost_one_at_collapse():
    z = gaussian(64, 8)
    assert variance_loss((z - z.mean(0)) / z.std(0)).item() == 0
    assert variance_loss(torch.ones(64, 8)).item() == pytest.approx(0.99, abs=1e-6)


def test_covariance_of_independent_gaussians_is_expected():
    samples, dim = 64, 128
    losses = [covariance_loss(gaussian(samples, dim, seed)).item() for seed in range(20)]
    assert np.mean(losses) == pytest.approx((dim - 1) / (samples - 1), rel=0.02)


def test_terms_ignore_where_embeddings_are_centred_and_the_order_of_samples():
    z, order = gaussian(16, 5), torch.randperm(16, generator=torch.Generator().manual_seed(3))
    for term in (variance_loss, covariance_loss):
        torch.testing.assert_close(term(z), term(z[order] + 4.0))
    torch.testing.assert_close(invariance_loss(z, 2 * z), invariance_loss(2 * z[order], z[order]))


def test_variance_pushes_a_collapsed_dimension_apart():
    z = gaussian(16, 2) * torch.tensor([0.1, 3.0], dtype=torch.float64)
    z.requires_grad_()
    variance_loss(z).backward()
    moved = (z - 0.1 * z.grad).detach()
    assert moved[:, 0].std() > z[:, 0].std()
    assert not z.grad[:, 1].any()
