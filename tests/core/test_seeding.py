"""The counter-based generator: known answers, independence of the batch, and uniformity."""

import numpy as np
import pytest

from robossl.core.seeding import Draws, Stream, philox


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # the known-answer vectors that the authors publish with Random123
        ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_answers(
    key: tuple[int, int], counter: tuple[int, int, int, int], expected: tuple[int, ...]
) -> None:
    *words, spare = counter
    arrays = [np.array([word], np.uint64) for word in words]
    assert tuple(philox(key, *arrays, spare)[0]) == expected


def test_a_world_draws_the_same_in_any_batch() -> None:
    many = Draws(7, Stream.TRAIN, np.arange(50), np.full(50, 3))
    one = Draws(7, Stream.TRAIN, np.array([31]), np.array([3]))
    for _ in range(3):
        np.testing.assert_array_equal(many.uniform(-1, 2, (5,))[31], one.uniform(-1, 2, (5,))[0])


@pytest.mark.parametrize("change", ["seed", "stream", "world", "episode", "call", "purpose", "decision"])
def test_every_part_of_the_key_matters(change: str) -> None:
    base = Draws(1, Stream.TRAIN, np.array([2]), np.array([3]))
    other = Draws(
        5 if change == "seed" else 1,
        Stream.EVAL if change == "stream" else Stream.TRAIN,
        np.array([9 if change == "world" else 2]),
        np.array([9 if change == "episode" else 3]),
        purpose="noise" if change == "purpose" else "",
        decisions=np.array([1]) if change == "decision" else None,
    )
    first = base.uniform(shape=(4,))
    second = base.uniform(shape=(4,)) if change == "call" else other.uniform(shape=(4,))
    assert not np.isin(second, first).any()


def test_draws_are_uniform_and_uncorrelated_between_worlds() -> None:
    draws = Draws(0, Stream.EVAL, np.arange(2000), np.zeros(2000, np.int64)).uniform(shape=(64,))
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    expected = draws.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi-square, 19 degrees of freedom, p = 0.001
    assert abs(np.corrcoef(draws[:-1].ravel(), draws[1:].ravel())[0, 1]) < 0.01


def test_integers_cover_their_range() -> None:
    values = Draws(0, Stream.TRAIN, np.arange(4000), np.zeros(4000, np.int64)).integers(5)
    assert set(values) == {0, 1, 2, 3, 4}


def test_normal_draws_have_the_moments_of_the_normal_distribution() -> None:
    draws = Draws(0, Stream.EVAL, np.arange(100), np.zeros(100, np.int64)).normal((41, 50))
    assert (draws.shape, draws.dtype.name) == ((100, 41, 50), "float32")
    moments = [float((draws.astype(np.float64) ** power).mean()) for power in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.03)  # 4 standard errors of the fourth
    assert abs(np.corrcoef(draws[:, 1:].ravel(), draws[:, :-1].ravel())[0, 1]) < 0.01


def test_a_purpose_draws_the_same_whatever_others_have_drawn() -> None:
    draws = Draws(3, Stream.TRAIN, np.arange(4), np.arange(4))
    expected = draws.sub("noise", np.arange(4)).normal((3,))
    draws.uniform(shape=(10,))
    np.testing.assert_array_equal(draws.sub("noise", np.arange(4)).normal((3,)), expected)
    one = Draws(3, Stream.TRAIN, np.array([2]), np.array([2])).sub("noise", np.array([2]))
    np.testing.assert_array_equal(one.normal((3,))[0], expected[2])
    assert (one.sub("left").normal((3,)) != one.sub("right").normal((3,))).all()
