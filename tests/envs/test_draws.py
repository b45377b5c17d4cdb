import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.draws import FastDraws

WORLDS, EPISODES = np.array([0, 7, 2**40 + 3]), np.array([1, 2**33, 5])


@pytest.mark.parametrize("decisions", [None, np.array([3, 0, 2**35])])
def test_the_numbers_are_the_plain_ones(decisions: np.ndarray | None) -> None:
    plain, fast = (
        kind(2**32 - 1, Stream.SELECT, WORLDS, EPISODES, purpose="a", decisions=decisions)
        for kind in (Draws, FastDraws)
    )
    for shape in ((), (5,), (4, 3), (1,)):  # the counters move on alike
        np.testing.assert_array_equal(fast.uniform(-1, 2, shape), plain.uniform(-1, 2, shape))
        np.testing.assert_array_equal(fast.normal(shape), plain.normal(shape))
    np.testing.assert_array_equal(fast.integers(9, (50,)), plain.integers(9, (50,)))
    ours, theirs = (draws.sub("noise", np.array([1, 2, 3])) for draws in (fast, plain))
    assert isinstance(ours, FastDraws)
    np.testing.assert_array_equal(ours.normal((3,)), theirs.normal((3,)))
