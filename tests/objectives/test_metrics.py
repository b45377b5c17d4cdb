import numpy as np
import pytest
import torch

from robossl.objectives.metrics import feature_std, linear_probe_r2, mean_pairwise_cosine, rankme


def gaussian(num, dim, seed=0):
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(seed))


def test_rankme_of_known_matrices():
    assert rankme(torch.eye(50)) == pytest.approx(50.0, abs=1e-3)
    assert rankme(torch.ones(40, 1) @ torch.arange(1.0, 9.0)[None]) == pytest.approx(1.0, abs=1e-4)
    assert rankme(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(
        np.exp(-0.75 * np.log(0.75) + 0.25 * np.log(4))
    )


def test_rankme_of_gaussian_samples():
    assert np.mean([rankme(gaussian(64, 50, seed)) for seed in range(10)]) == pytest.approx(43.5, abs=0.5)


def test_rankme_ignores_scale_and_rotation_but_not_the_mean():
    z = gaussian(30, 6)
    rotation = torch.linalg.qr(gaussian(6, 6, seed=1)).Q
    assert rankme(5 * z @ rotation) == pytest.approx(rankme(z), rel=1e-4)
    assert rankme(z + 10) < 0.7 * rankme(z)


def test_rankme_of_collapsed_features_is_at_its_floor():
    assert rankme(torch.zeros(20, 8)) == pytest.approx(1.0, abs=1e-4)


def test_probe_finds_a_linear_map_and_nothing_in_noise():
    z_train, z_test = gaussian(400, 6), gaussian(300, 6, seed=1)
    weights = gaussian(6, 2, seed=2)
    scores = linear_probe_r2(
        z_train,
        torch.cat([z_train @ weights * 100 + 7, gaussian(400, 1, seed=3)], dim=1),
        z_test,
        torch.cat([z_test @ weights * 100 + 7, gaussian(300, 1, seed=4)], dim=1),
    )
    assert scores[:2].min() > 0.999
    assert abs(scores[2]) < 0.1


def test_probe_equals_ridge_regression_written_out():
    z, s = gaussian(50, 3).double().numpy() * [1, 10, 100] + 5, gaussian(50, 1, seed=1).double().numpy()
    z_test, s_test = (
        gaussian(20, 3, seed=2).double().numpy() * [1, 10, 100] + 5,
        gaussian(20, 1, seed=3).double().numpy(),
    )
    x, x_test = ((a - z.mean(0)) / z.std(0, ddof=1) for a in (z, z_test))
    y = (s - s.mean()) / s.std(ddof=1)
    augmented_x = np.concatenate([x, np.sqrt(0.5 * 50) * np.eye(3)])  # ridge as extra samples
    weights = np.linalg.lstsq(augmented_x, np.concatenate([y, np.zeros((3, 1))]), rcond=None)[0]
    residual = s_test - (x_test @ weights * s.std(ddof=1) + s.mean())
    expected = 1 - (residual**2).sum() / ((s_test - s_test.mean()) ** 2).sum()
    score = linear_probe_r2(*(torch.tensor(a) for a in (z, s, z_test, s_test)), ridge=0.5)
    assert score.item() == pytest.approx(expected, abs=1e-6)


def test_probe_ignores_the_units_of_features_and_factors():
    z_train, z_test, s_train, s_test = gaussian(60, 4), gaussian(40, 4, 1), gaussian(60, 2, 2), gaussian(40, 2, 3)
    scale, shift = torch.tensor([1.0, 1e3, 1e-3, 5.0]), 3.0
    changed = linear_probe_r2(z_train * scale + shift, s_train * 9, z_test * scale + shift, s_test * 9)
    torch.testing.assert_close(changed, linear_probe_r2(z_train, s_train, z_test, s_test), atol=1e-4, rtol=0)


def test_probe_of_constants_is_finite():
    scores = linear_probe_r2(torch.ones(10, 3), torch.ones(10, 2), torch.ones(5, 3), torch.ones(5, 2))
    assert scores.tolist() == [0.0, 0.0]


def test_probe_refuses_what_does_not_belong_together():
    with pytest.raises(ValueError, match=r"\[10, 3\] and \[9, 1\] to fit"):
        linear_probe_r2(torch.ones(10, 3), torch.ones(9, 1), torch.ones(5, 3), torch.ones(5, 1))


def test_collapse_monitors():
    assert mean_pairwise_cosine(torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])) == pytest.approx(-1 / 3)
    assert mean_pairwise_cosine(torch.ones(5, 3)) == pytest.approx(1.0)
    assert feature_std(torch.tensor([[0.0, 1.0], [2.0, 1.0]])) == pytest.approx(2**0.5 / 2)
