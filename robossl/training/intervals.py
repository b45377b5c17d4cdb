"""95 % intervals: of rates, of their differences in the same worlds, of other means, and of means over seeds.

Rates have score intervals, which keep a width where all or no episodes succeed; resampling them would give none.
Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22(158), 1927; Newcombe, "Improved
confidence intervals for the difference between binomial proportions based on paired data", Statistics in Medicine
17(22), 1998, of whose methods it is the tenth. Seeds are few: their means have Student's intervals ("The
probable error of a mean", Biometrika 6(1), 1908); resampling two of them would miss the truth every other time.
"""

from math import cos, pi, sin, sqrt, tan
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

_LEVEL = 0.95
_Z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
_NUM_RESAMPLES = 10_000
_NUM_AT_ONCE = 1 << 20  # values resampled at a time: 16 MB, however many episodes there are


def rate_interval(hits: NDArray[Any]) -> Interval:
    """Returns Wilson's score interval of the share of ones in `hits` [E], zeros and ones."""
    count, total = int(np.sum(hits)), len(hits)
    return _least_rate(count, total), 1 - _least_rate(total - count, total)


def rate_difference_interval(hits: NDArray[np.bool_], others: NDArray[np.bool_]) -> Interval:
    """Returns Newcombe's interval of how much the share of `hits` exceeds that of `others` in the same E worlds."""
    rate, other = float(np.mean(hits)), float(np.mean(others))
    (low, high), (other_low, other_high) = rate_interval(hits), rate_interval(others)
    correlation = _correlation(hits, others)
    below = _joined(rate - low, other_high - other, correlation)
    above = _joined(high - rate, other - other_low, correlation)
    return rate - other - below, rate - other + above


def bootstrap_interval(values: NDArray[Any], *, seed: int = 0) -> Interval:
    """Returns the percentile bootstrap interval of the mean of `values` [E]."""
    generator = np.random.default_rng(seed)
    numbers, size = np.asarray(values, np.float64), max(_NUM_AT_ONCE // len(values), 1)
    means = np.empty(_NUM_RESAMPLES)
    for start in range(0, _NUM_RESAMPLES, size):
        block = means[start : start + size]
        block[:] = numbers[generator.integers(len(values), size=(len(block), len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def seeds_interval(values: NDArray[Any], *, episodes: int | None = None) -> Interval | None:
    """Returns Student's interval of the mean of `values` [S], what S seeds came to; None where there is but one.

    Args:
        values: a figure of each seed.
        episodes: of each seed, where the values are rates. Theirs stay in [0, 1] and contain Wilson's interval of all
            episodes together, so that seeds that agree by chance have a width, too.
    """
    num_seeds, mean = len(values), float(np.mean(values))
    if num_seeds < 2:
        return None
    half = _student(num_seeds - 1) * float(np.std(values, ddof=1)) / sqrt(num_seeds)
    if episodes is None:
        return mean - half, mean + half
    total = num_seeds * episodes
    low, high = _least_rate(mean * total, total), 1 - _least_rate((1 - mean) * total, total)
    return max(min(mean - half, low), 0.0), min(max(mean + half, high), 1.0)


def _student(degrees: int) -> float:
    """Returns how far Student's t of so many degrees of freedom strays from 0 at most, at the level of all intervals.

    t is the tangent of an angle times the root of the degrees; the angle is found by bisection.
    """
    low, high = 0.0, pi / 2
    while low < (angle := (low + high) / 2) < high:
        low, high = (angle, high) if _within(angle, degrees) < _LEVEL else (low, angle)
    return tan(angle) * sqrt(degrees)


def _within(angle: float, degrees: int) -> float:
    """Returns how likely the angle of t is no greater: Abramowitz and Stegun, equations 26.7.3 and 26.7.4."""
    is_odd = degrees % 2
    total, term = 0.0, cos(angle) if is_odd else 1.0
    for i in range(is_odd + 1, degrees, 2):
        total += term
        term *= cos(angle) ** 2 * i / (i + 1)
    within = sin(angle) * total
    return 2 / pi * (angle + within) if is_odd else within


def _least_rate(count: float, total: int) -> float:
    """Returns the lower root of Wilson's equation, in the form that is exactly 0 where nothing was counted."""
    spread = _Z * sqrt(count * (total - count) / total + _Z**2 / 4)
    return count**2 / total / (count + _Z**2 / 2 + spread)


def _joined(one: float, other: float, correlation: float) -> float:
    """Returns the distance to a limit of a difference from those of its two terms."""
    return sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))


def _correlation(hits: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """Returns phi of the two, corrected for continuity where it is positive; 0 where either does not vary."""
    both, neither = int(np.sum(hits & others)), int(np.sum(~hits & ~others))
    first, second = int(np.sum(hits & ~others)), int(np.sum(~hits & others))
    excess = float(both * neither - first * second)
    if excess > 0:
        excess = max(excess - len(hits) / 2, 0.0)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    return excess / sqrt(margins) if margins else 0.0
