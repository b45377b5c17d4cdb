"""What the next episodes begin with, computed for many at once before they are asked for.

What follows from an episode's draws depends on (seed, stream, world, episode) alone. Few worlds end at one step, and
for few worlds numpy's calls cost more than what they compute.
"""

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, Layout
from robossl.envs.compiled import compiled
from robossl.envs.config import WorldSeed
from robossl.envs.draws import FastDraws

_MIN_DEPTH, _MAX_DEPTH = 2, 16  # episodes of a world
_NUM_EPISODES = 1024  # of all worlds: bounds the memory
_NONE = -1
_AHEAD = 32  # times as many as begin now are laid out at once: few enough that no step waits for long
_MIN_CALL, _MAX_CALL = 16, 96  # episodes computed by one call: the arrays of more do not stay in the cache


class Ahead:
    """Gives out the draws of episodes, and keeps what `Draws.apply` leads to for those that follow."""

    def __init__(self, num_worlds: int) -> None:
        self._depth = min(max(_NUM_EPISODES // num_worlds, _MIN_DEPTH), _MAX_DEPTH)
        self._episode = np.zeros(num_worlds, np.int64)  # that each world is in
        self._worlds, self._first_world = WorldSeed(), 0
        self._shelves: dict[Layout, _Shelf] = {}

    def draws(self, worlds: WorldSeed, first_world: int, episode: NDArray[np.int64], ids: NDArray[np.int64]) -> Draws:
        """Returns the draws for the episodes that the worlds `ids` [n], counted from `first_world`, begin now.

        Args:
            worlds: seed and stream.
            first_world: the number of world 0.
            episode: [N] that each world is in, or begins now; looked at until these draws are used.
            ids: [n].
        """
        if (self._worlds, self._first_world) != (worlds, first_world):
            self._shelves.clear()
        self._worlds, self._first_world, self._episode = worlds, first_world, episode
        return _DrawsAhead(self, worlds, first_world, ids, episode[ids])

    def take(self, layout: Layout, ids: NDArray[np.int64], episodes: NDArray[np.int64]) -> dict[str, Array]:
        """Returns what `layout` gives for the episodes, {name: [n, ...]}."""
        if layout not in self._shelves:
            self._shelves[layout] = _Shelf(len(self._episode), self._depth)
        shelf = self._shelves[layout]
        if not shelf.holds(ids, episodes):
            self._fill(layout, shelf, ids)
        return shelf.take(ids, episodes)

    def _fill(self, layout: Layout, shelf: "_Shelf", ids: NDArray[np.int64]) -> None:
        """Computes whatever the worlds `ids` begin now, and much of what all begin next, that is not on the shelf."""
        most = len(ids) * (1 if len(ids) == len(self._episode) else _AHEAD)  # where all begin, the next are far off
        world, episode = np.empty((2, max(most, _MIN_CALL)), np.int64)
        count = _find_missing(shelf.episode, self._episode, ids, world, episode)
        world, episode = world[:count], episode[:count]
        for first in range(0, len(world), _MAX_CALL):
            some = slice(first, first + _MAX_CALL)
            draws = FastDraws(self._worlds.seed, self._worlds.stream, self._first_world + world[some], episode[some])
            shelf.put(world[some], episode[some], layout(draws))


class _Shelf:
    """What begins the episodes of N worlds, `depth` of each, side by side in one record: one copy takes it out.

    Attributes:
        episode: [N, depth] which it is, or `_NONE`.
    """

    def __init__(self, num_worlds: int, depth: int) -> None:
        self.episode = np.full((num_worlds, depth), _NONE)
        self._records = np.zeros(0, np.dtype([]))  # [N * depth]: `take` and `put` are faster than any other way

    def put(self, world: NDArray[np.int64], episode: NDArray[np.int64], values: dict[str, Array]) -> None:
        """Lays down the values {name: [n, ...]} of n episodes."""
        if not self._records.dtype.names:
            record = np.dtype([(name, value.dtype, value.shape[1:]) for name, value in values.items()])
            self._records = np.zeros(self.episode.size, record)
            self._records.view(np.uint8)[:] = 0  # takes the memory now: else it grows until every place was used once
        records = np.empty(len(world), self._records.dtype)
        for name, value in values.items():
            records[name] = value
        slot = episode % self.episode.shape[1]
        self._records.put(world * self.episode.shape[1] + slot, records)
        self.episode[world, slot] = episode

    def holds(self, world: NDArray[np.int64], episode: NDArray[np.int64]) -> bool:
        """Tells whether all of these episodes are there."""
        return _holds(self.episode, world, episode)

    def take(self, world: NDArray[np.int64], episode: NDArray[np.int64]) -> dict[str, Array]:
        """Takes the values of episodes out, each once: a rewound environment pays for them again."""
        places = np.empty(len(world), np.int64)
        _take_out(self.episode, world, episode, places)
        records = self._records.take(places)
        return {name: records[name] for name in records.dtype.names or ()}


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
def _holds(shelf: Array, world: Array, episode: Array) -> bool:
    depth, is_there = shelf.shape[1], True
    for i in range(len(world)):
        is_there &= shelf[world[i], episode[i] % depth] == episode[i]
    return is_there


@compiled
def _take_out(shelf: Array, world: Array, episode: Array, places: Array) -> None:
    depth = shelf.shape[1]
    for i in range(len(world)):
        shelf[world[i], episode[i] % depth] = _NONE
        places[i] = world[i] * depth + episode[i] % depth


class _DrawsAhead(FastDraws):
    def __init__(
        self, ahead: Ahead, worlds: WorldSeed, first_world: int, ids: NDArray[np.int64], episodes: NDArray[np.int64]
    ) -> None:
        super().__init__(worlds.seed, worlds.stream, first_world + ids, episodes)
        self._ahead, self._ids, self._episodes_begun = ahead, ids, episodes

    def apply(self, layout: Layout) -> dict[str, Array]:
        """See `Draws.apply`."""
        return self._ahead.take(layout, self._ids, self._episodes_begun)
