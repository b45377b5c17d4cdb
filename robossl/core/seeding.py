"""Counter-based randomness: the same (seed, stream, world, episode) gives the same numbers in any batch.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), vectorised over worlds in
numpy. There is no generator state to store: a resumed run and a run with another number of worlds draw the same bits.
"""

import math
import zlib
from enum import IntEnum
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_NUM_QUANTILES = 1 << 16


class Stream(IntEnum):
    """Independent sequences of worlds, so that evaluation never meets a world seen in training."""

    TRAIN = 0
    EVAL = 1
    COLLECT = 2
    RENDER = 3
    SELECT = 4


class Draws:
    """Draws numbers for N episodes, each from its own counter sequence; every call moves all sequences on alike.

    Attributes:
        num_episodes: N.

    Args:
        seed: the run's seed, any integer in [0, 2**32).
        stream: which family of worlds.
        worlds: [N] world numbers.
        episodes: [N] episode numbers.
        purpose: what the numbers are for: each purpose has sequences of its own, so that one who draws more or less
            changes nothing for the others.
        decisions: [N] decisions within the episodes, likewise each with a sequence of its own.
    """

    def __init__(
        self,
        seed: int,
        stream: Stream,
        worlds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        *,
        purpose: str = "",
        decisions: NDArray[np.int64] | None = None,
    ) -> None:
        self._origin, self._purpose, self._of = (seed, stream, worlds, episodes), purpose, decisions
        self.num_episodes, self._block = len(worlds), 0

    def sub(self, purpose: str, decisions: NDArray[np.int64] | None = None) -> "Draws":
        """Returns the same episodes' sequences for a purpose within this one, at other decisions where given."""
        decisions = self._of if decisions is None else decisions
        return Draws(*self._origin, purpose=f"{self._purpose}/{purpose}", decisions=decisions)

    def uniform(
        self,
        low: float | NDArray[np.float64] = 0.0,
        high: float | NDArray[np.float64] = 1.0,
        shape: tuple[int, ...] = (),
    ) -> NDArray[np.float64]:
        """Returns [N, *shape] numbers, uniform in [low, high)."""
        unit = self._unit(math.prod(shape)).reshape(self.num_episodes, *shape)
        is_unit = isinstance(low, float) and isinstance(high, float) and (low, high) == (0.0, 1.0)
        return unit if is_unit else np.asarray(low + (high - low) * unit)

    def integers(self, high: int, shape: tuple[int, ...] = ()) -> NDArray[np.int64]:
        """Returns [N, *shape] integers in [0, high)."""
        return np.floor(self.uniform(0.0, float(high), shape)).astype(np.int64)

    def normal(self, shape: tuple[int, ...] = ()) -> NDArray[np.float32]:
        """Returns [N, *shape] numbers of mean 0 and standard deviation 1, one of 65,536 equally likely values."""
        count = math.prod(shape)
        lanes = self._lanes(-(-count // 8)).astype("<u4", order="C")  # 128 bits a block: eight of 16 bits
        index = lanes.reshape(self.num_episodes, -1).view("<u2")[:, :count]
        return _quantiles().take(index).reshape(-1, *shape)

    def _unit(self, count: int) -> NDArray[np.float64]:
        lanes = self._lanes(-(-count // 2))  # 128 bits a block: two numbers of 53 bits
        unit = np.empty((*lanes.shape[:2], 2))
        for number in range(2):
            high, low = lanes[..., 2 * number] >> np.uint64(5), lanes[..., 2 * number + 1] >> np.uint64(6)
            unit[..., number] = (high * 67108864.0 + low) * (1 / 9007199254740992.0)  # exact: a power of two
        return unit.reshape(self.num_episodes, -1)[:, :count]

    def _lanes(self, num_blocks: int) -> NDArray[np.uint64]:
        """Returns the next [N, num_blocks, 4] lanes of 32 bits."""
        key, first, columns = self._counters(num_blocks)
        block = np.arange(first, first + num_blocks, dtype=np.uint64)
        return philox((int(key[0]), int(key[1])), block[None, :], *(column[:, None] for column in columns.T))

    def _counters(self, num_blocks: int) -> tuple[NDArray[np.uint64], int, NDArray[np.uint64]]:
        """Returns the key [2], the number of the next of `num_blocks` blocks, and [N, 3] the counters' other parts."""
        seed, stream, worlds, episodes = self._origin
        key = (seed & 0xFFFFFFFF, int(stream) | (zlib.crc32(self._purpose.encode()) & 0xFFFFFF) << 8)
        columns = np.zeros((self.num_episodes, 3), np.uint64)
        columns[:, 0], columns[:, 1] = worlds, episodes
        if self._of is not None:
            columns[:, 2] = self._of
        first, self._block = self._block, self._block + num_blocks
        return np.array(key, np.uint64), first, columns & _MASK


@cache
def _quantiles() -> NDArray[np.float32]:
    """Returns the [65536] middle quantiles of the standard normal distribution."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / _NUM_QUANTILES) for i in range(_NUM_QUANTILES)], np.float32)


def philox(
    key: tuple[int, int],
    block: NDArray[np.uint64],
    world: NDArray[np.uint64],
    episode: NDArray[np.uint64],
    spare: int | NDArray[np.uint64] = 0,
) -> NDArray[np.uint64]:
    """Returns the four 32-bit lanes [..., 4] of Philox4x32-10 for counters (block, world, episode, spare).

    The parts are broadcast against each other, and stay small for two rounds: in the first, two lanes depend on `block`
    alone and two on the rest.
    """
    c0, c1, c2, c3 = block, world, episode, np.asarray(spare, np.uint64)
    keys = [
        (np.uint64((key[0] + i * _WEYL_0) & 0xFFFFFFFF), np.uint64((key[1] + i * _WEYL_1) & 0xFFFFFFFF))
        for i in range(_ROUNDS)
    ]
    for k0, k1 in keys[:2]:
        product_0, product_1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
        c0, c1 = (product_1 >> _SHIFT) ^ c1 ^ k0, product_1 & _MASK
        c2, c3 = (product_0 >> _SHIFT) ^ c3 ^ k1, product_0 & _MASK
    lanes = np.empty((6, *np.broadcast_shapes(c0.shape, c1.shape, c2.shape, c3.shape)), np.uint64)
    for lane, values in zip(lanes, (c0, c1, c2, c3), strict=False):
        lane[...] = values
    for k0, k1 in keys[2:]:
        _round(lanes, k0, k1)
    return np.moveaxis(lanes[:4], 0, -1)


def _round(lanes: NDArray[np.uint64], k0: np.uint64, k1: np.uint64) -> None:
    """Makes one round in place, without a temporary array: lanes [6, ...] are the four and two to work with."""
    c0, c1, c2, c3, product_0, product_1 = lanes
    np.multiply(c0, _MULTIPLIER_0, out=product_0)
    np.multiply(c2, _MULTIPLIER_1, out=product_1)
    np.right_shift(product_1, _SHIFT, out=c0)
    np.bitwise_xor(c0, c1, out=c0)
    np.bitwise_xor(c0, k0, out=c0)
    np.bitwise_and(product_1, _MASK, out=c1)
    np.right_shift(product_0, _SHIFT, out=c2)
    np.bitwise_xor(c2, c3, out=c2)
    np.bitwise_xor(c2, k1, out=c2)
    np.bitwise_and(product_0, _MASK, out=c3)
