"""95 % intervals of what evaluations measure: of rates, of their differences in the same worlds, and of other means.

Rates have score intervals, which keep a width where all or no episodes succeed; resampling them would give none.
Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22(158), 1927; Newcombe, "Improved
confidence intervals for the difference between binomial proportions based on paired data", Statistics in Medicine
17(22), 1998, of whose methods it is the tenth.
"""

from math import sqrt
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


def _least_rate(count: int, total: int) -> float:
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
