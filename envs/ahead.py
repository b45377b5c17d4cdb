"""What the next episodes begin with, computed for many at once before they are asked for.

What follows from an episode's draws depends on (seed, stream, world, episode) alone. Few worlds end at one step, and
for few worlds numpy's calls cost more than what they compute.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws
from robossl.envs.compiled import compiled
from robossl.envs.config import WorldSeed
from robossl.envs.draws import FastDraws
from robossl.envs.records import Names, Start
from robossl.envs.row_threads import row_threads

_MIN_DEPTH, _MAX_DEPTH = 2, 16  # episodes of a world
_NUM_EPISODES = 1024  # of all worlds: bounds the memory
_NONE = -1
_AHEAD = 32  # times as many as begin now are laid out at once: few enough that no step waits for long
_MIN_CALL = 16  # episodes
_MAX_CALL, _MAX_SMALL_CALL, _SMALL_BYTES = 96, 384, 2048  # of a call: the arrays of more leave the cache


class Ahead:
    """Gives out what episodes begin with, and keeps it for those that follow.

    Args:
        draw: returns what draws lead to.
        num_worlds: N.
        num_threads: that may draw.
    """

    def __init__(self, draw: Callable[[Draws], Start], num_worlds: int, num_threads: int = 1) -> None:
        self._draw, self._num_worlds, self._num_threads = draw, num_worlds, num_threads
        self._worlds, self._first_world = WorldSeed(), 0
        self._shelf = _Shelf(num_worlds, min(max(_NUM_EPISODES // num_worlds, _MIN_DEPTH), _MAX_DEPTH))

    def take(self, worlds: WorldSeed, first_world: int, episode: NDArray[np.int64], ids: NDArray[np.int64]) -> Start:
        """Returns what the worlds `ids` [n], counted from `first_world`, begin their episodes with.

        Args:
            worlds: seed and stream.
            first_world: the number of world 0.
            episode: [N] that each world is in, or begins now.
            ids: [n].
        """
        if worlds is not self._worlds or first_world != self._first_world:
            if (worlds, first_world) != (self._worlds, self._first_world):
                self._shelf.clear()
            self._worlds, self._first_world = worlds, first_world
        start = self._shelf.take(ids, episode)
        if start is None:
            self._fill(episode, ids)
            start = self._shelf.take(ids, episode)
        assert start is not None
        return start

    def _fill(self, now: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
        """Computes whatever the worlds `ids` begin `now`, and much of what all begin next, that is not on the shelf."""
        most = len(ids) * (1 if len(ids) == self._num_worlds else _AHEAD)  # where all begin, the next are far off
        world, episode = np.empty((2, max(most, _MIN_CALL)), np.int64)
        count = _find_missing(self._shelf.episode, now, ids, world, episode)
        world, episode = world[:count], episode[:count]
        is_small = 0 < self._shelf.record_bytes <= _SMALL_BYTES
        lot = _MAX_SMALL_CALL if is_small else _MAX_CALL
        for first in range(0, count, lot):
            some = slice(first, first + lot)
            draws = FastDraws(self._worlds.seed, self._worlds.stream, self._first_world + world[some], episode[some])
            with row_threads(self._num_threads):
                start = self._draw(draws)
            self._shelf.put(world[some], episode[some], start)


class _Shelf:
    """What begins the episodes of N worlds, `depth` of each, a record of each: one copy takes it out.

    Attributes:
        episode: [N, depth] which it is, or `_NONE`.
        record_bytes: of an episode; 0 until there is one.
    """

    def __init__(self, num_worlds: int, depth: int) -> None:
        self.episode, self.record_bytes = np.full((num_worlds, depth), _NONE), 0
        self._data = np.zeros((0, 0), np.uint8)  # [N * depth, B]
        self._names, self._record = Names(), np.dtype([])

    def clear(self) -> None:
        """Throws all away."""
        self.episode[:] = _NONE

    def put(self, world: NDArray[np.int64], episode: NDArray[np.int64], start: Start) -> None:
        """Lays down what n episodes begin with."""
        self._names, self._record, data = start
        if not len(self._data):
            self.record_bytes = data.shape[1]
            self._data = np.empty((self.episode.size, self.record_bytes), np.uint8)
            self._data[:] = 0  # takes the memory now: else it grows until every place was used once
        slot = episode % self.episode.shape[1]
        self._data[world * self.episode.shape[1] + slot] = data
        self.episode[world, slot] = episode

    def take(self, world: NDArray[np.int64], now: NDArray[np.int64]) -> Start | None:
        """Takes out what worlds [n] begin, given which episodes all are in `now`; None where not all of it is there.

        Each is there once: a rewound environment pays for it again.
        """
        places = np.empty(len(world), np.int64)
        if not _take_out(self.episode, world, now, places):
            return None
        return Start(self._names, self._record, self._data.take(places, axis=0))


@compiled
def _find_missing(shelf: Array, now: Array, ids: Array, world: Array, episode: Array) -> int:
    """Fills `world` and `episode` with what is not on the shelf, the soonest first; returns how many there are.

    Of the episodes that worlds are in `now` [N], only those of the worlds `ids` are wanted: they begin.
    """
    count, depth = 0, shelf.shape[1]
    for ahead in range(depth):
        for i in range(len(ids) if ahead == 0 else len(now)):
            here = ids[i] if ahead == 0 else i
            wanted = now[here] + ahead
            if shelf[here, wanted % depth] != wanted and count < len(world):
                world[count], episode[count] = here, wanted
                count += 1
    return count


@compiled
def _take_out(shelf: Array, world: Array, now: Array, places: Array) -> bool:
    """Fills [n] where on the shelf [N, depth] things are, and crosses them off; does not where one is missing."""
    depth, is_there = shelf.shape[1], True
    for i in range(len(world)):
        episode = now[world[i]]
        is_there &= shelf[world[i], episode % depth] == episode
        places[i] = world[i] * depth + episode % depth
    for i in range(len(world) if is_there else 0):
        shelf[world[i], places[i] % depth] = _NONE
    return is_there
