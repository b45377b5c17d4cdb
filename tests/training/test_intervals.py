import tracemalloc

import numpy as np
import pytest

from robossl.training import intervals
from robossl.training.intervals import bootstrap_interval, rate_difference_interval, rate_interval, seeds_interval


def hits(count: int, total: int) -> np.ndarray:
    return np.arange(total) < count


def paired(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what two came to in worlds of which so many were a success of both, of one of them, of neither."""
    counts = [both, first, second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_rates_have_the_published_wilson_intervals(count: int, total: int, expected: tuple[float, float]) -> None:
    """Newcombe, Statistics in Medicine 17(8), 1998, table I, method 3."""
    assert rate_interval(hits(count, total)) == pytest.approx(expected, abs=5e-5)


def test_limits_of_a_rate_are_where_the_score_test_just_does_not_reject() -> None:
    for limit in rate_interval(hits(57, 64)):
        assert abs(57 / 64 - limit) / np.sqrt(limit * (1 - limit) / 64) == pytest.approx(1.959964, abs=1e-5)


def test_nothing_and_everything_reach_to_the_end_exactly() -> None:
    assert rate_interval(hits(0, 64))[0] == 0.0
    assert rate_interval(hits(64, 64))[1] == 1.0
    assert rate_interval(hits(3, 3))[0] == pytest.approx(3 / (3 + 1.959964**2), abs=1e-6)


@pytest.mark.parametrize(
    ("table", "expected", "digits"),
    [
        ((36, 12, 2, 0), (0.0569, 0.3404), 4),  # Newcombe, Statistics in Medicine 17(22), 1998, table II
        ((14, 5, 0, 22), (0.011, 0.226), 3),  # Altman et al., Statistics with Confidence, 2000, p. 52
        ((59, 6, 16, 80), (-0.1186, -0.0046), 4),  # Fagerland et al., Statistical Analysis of Contingency Tables, ch. 8
        ((1, 1, 7, 12), (-0.507, -0.026), 3),  # the same
    ],
)
def test_differences_have_the_published_newcombe_intervals(
    table: tuple[int, int, int, int], expected: tuple[float, float], digits: int
) -> None:
    one, other = paired(*table)
    assert rate_difference_interval(one, other) == pytest.approx(expected, abs=0.5 * 10**-digits)
    assert rate_difference_interval(other, one) == pytest.approx((-expected[1], -expected[0]), abs=0.5 * 10**-digits)


def test_worlds_that_all_end_alike_prove_no_difference_and_no_equality() -> None:
    low, high = rate_difference_interval(*paired(64, 0, 0, 0))
    assert -low == high == pytest.approx(1 - rate_interval(hits(64, 64))[0])
    assert rate_difference_interval(*paired(0, 5, 0, 0))[1] == 1.0


def test_the_bootstrap_agrees_with_theory() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)
    assert bootstrap_interval(np.full(5, 2.0)) == (2.0, 2.0)


def test_the_bootstrap_of_many_episodes_needs_little_memory_and_gives_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(1).normal(size=301)
    at_once = bootstrap_interval(values)
    monkeypatch.setattr(intervals, "_NUM_AT_ONCE", 7 * 301)
    tracemalloc.start()
    assert bootstrap_interval(values) == at_once
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("num_seeds", "quantile"), [(2, 12.706), (3, 4.303), (4, 3.182), (5, 2.776), (6, 2.571), (31, 2.042), (121, 1.98)]
)
def test_seeds_have_intervals_of_students_published_quantiles(num_seeds: int, quantile: float) -> None:
    """Of 0.975, as in any table."""
    values = np.arange(num_seeds, dtype=float)
    low, high = seeds_interval(values)
    spread = np.std(values, ddof=1) / np.sqrt(num_seeds)
    assert (high - low) / 2 / spread == pytest.approx(quantile, abs=5e-4)
    assert (high + low) / 2 == pytest.approx(values.mean())


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_intervals_over_seeds_contain_the_truth_as_often_as_they_say(num_seeds: int) -> None:
    drawn = np.random.default_rng(0).normal(size=(2000, num_seeds))
    limits = np.array([seeds_interval(values) for values in drawn])
    assert np.mean((limits[:, 0] <= 0) & (limits[:, 1] >= 0)) == pytest.approx(0.95, abs=0.015)


def test_rates_of_seeds_stay_rates_and_contain_the_interval_of_all_episodes() -> None:
    assert seeds_interval(np.array([0.0, 1.0]), episodes=8) == (0.0, 1.0)
    for count in (0, 5, 8):  # seeds that agree
        assert seeds_interval(np.full(3, count / 8), episodes=8) == pytest.approx(rate_interval(hits(3 * count, 24)))
    wide = seeds_interval(np.array([0.4, 0.5, 0.6]), episodes=1000)
    assert wide == pytest.approx(seeds_interval(np.array([0.4, 0.5, 0.6])))


def test_one_seed_has_no_interval() -> None:
    assert seeds_interval(np.array([0.5]), episodes=8) is None
