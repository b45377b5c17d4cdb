"""Pink noise: as likely as white noise at every moment, with a spectrum that falls as 1 / frequency."""

import numpy as np
import pytest
import torch

from robossl.agents.pink_noise import PinkNoise

NUM_DECISIONS = 2048


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    noise = PinkNoise(32, 2, torch.Generator().manual_seed(0))
    return torch.stack([noise.normal() for _ in range(NUM_DECISIONS)]).numpy()


def test_every_number_is_standard_normal(drawn: np.ndarray) -> None:
    across = drawn[::256].reshape(-1)  # so far apart that they are nearly independent
    assert abs(across.mean()) < 0.1
    assert across.std() == pytest.approx(1, abs=0.1)
    assert np.mean(np.abs(across) < 1) == pytest.approx(0.683, abs=0.05)
    assert drawn[0].std() == pytest.approx(1, abs=0.25)  # from the first on


def test_power_falls_as_one_over_frequency(drawn: np.ndarray) -> None:
    power = (np.abs(np.fft.rfft(drawn, axis=0)) ** 2).mean(axis=(1, 2))
    frequency = np.fft.rfftfreq(NUM_DECISIONS)
    band = (frequency > 1 / 400) & (frequency < 1 / 6)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


def test_worlds_and_actions_sway_alone(drawn: np.ndarray) -> None:
    apart = np.corrcoef(drawn.reshape(NUM_DECISIONS, -1).T) - np.eye(64)
    assert np.abs(apart).max() < 0.5


def test_uniform_numbers_are_spread_evenly_and_sway() -> None:
    noise = PinkNoise(4096, 1, torch.Generator().manual_seed(1))
    first, second = noise.uniform()[:, 0].numpy(), noise.uniform()[:, 0].numpy()
    counts, _ = np.histogram(first, bins=8, range=(-1, 1))
    assert counts.sum() == 4096
    np.testing.assert_allclose(counts / 512, 1, atol=0.2)
    assert np.corrcoef(first, second)[0, 1] > 0.6
