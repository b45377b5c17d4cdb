"""What the next episodes begin with, computed for many at once before they are asked for.

What follows from an episode's draws depends on (seed, stream, world, episode) alone. Few worlds end at one step, and
for few worlds numpy's calls cost more than what they compute.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, Layout
from robossl.envs.config import WorldSeed

_MIN_DEPTH, _MAX_DEPTH = 2, 8  # episodes of a world
_NUM_EPISODES = 512  # of all worlds: more of them do not get cheaper


class Ahead:
    """Gives out the draws of episodes, and keeps what `Draws.apply` leads to for those that follow."""

    def __init__(self, num_worlds: int) -> None:
        self._depth = min(max(_NUM_EPISODES // num_worlds, _MIN_DEPTH), _MAX_DEPTH)
        self._episode = np.zeros(num_worlds, np.int64)
        self._worlds, self._first_world = WorldSeed(), 0
        self._shelves: dict[Layout, _Shelf] = {}

    def draws(
        self, worlds: WorldSeed, first_world: int, ids: NDArray[np.int64], episodes: NDArray[np.int64]
    ) -> Draws:
        """Returns the draws for the `episodes` [n] that the worlds `ids`, counted from `first_world`, now begin."""
        if (self._worlds, self._first_world) != (worlds, first_world):
            self._worlds, self._first_world = worlds, first_world
            self._shelves.clear()
        self._episode[ids] = episodes
        return _DrawsAhead(self, worlds, first_world, ids, episodes)

    def take(self, layout: Layout, ids: NDArray[np.int64], episodes: NDArray[np.int64]) -> dict[str, Array]:
        """Returns what `layout` gives for the episodes, {name: [n, ...]}."""
        if layout not in self._shelves:
            self._shelves[layout] = _Shelf(np.full((len(self._episode), self._depth), -1), {})
        shelf, slots = self._shelves[layout], episodes % self._depth
        if (shelf.episode[ids, slots] != episodes).any():
            self._fill(layout, shelf)
        return {name: values[ids, slots] for name, values in shelf.values.items()}

    def _fill(self, layout: Layout, shelf: "_Shelf") -> None:
        """Computes whatever of the worlds' current and next episodes is not on the shelf."""
        episode = self._episode[:, None] + np.arange(self._depth)
        slot = episode % self._depth
        world, k = np.nonzero(np.take_along_axis(shelf.episode, slot, axis=1) != episode)
        episode, slot = episode[world, k], slot[world, k]
        draws = Draws(self._worlds.seed, self._worlds.stream, self._first_world + world, episode)
        for name, values in layout(draws).items():
            if name not in shelf.values:
                shelf.values[name] = np.empty((*shelf.episode.shape, *values.shape[1:]), values.dtype)
            shelf.values[name][world, slot] = values
        shelf.episode[world, slot] = episode


class _Shelf(NamedTuple):
    """One episode per world and slot: [N, depth] which one, or -1, and what begins it, {name: [N, depth, ...]}."""

    episode: NDArray[np.int64]
    values: dict[str, Array]


class _DrawsAhead(Draws):
    def __init__(
        self, ahead: Ahead, worlds: WorldSeed, first_world: int, ids: NDArray[np.int64], episodes: NDArray[np.int64]
    ) -> None:
        super().__init__(worlds.seed, worlds.stream, first_world + ids, episodes)
        self._ahead, self._ids, self._episodes_begun = ahead, ids, episodes

    def apply(self, layout: Layout) -> dict[str, Array]:
        """See `Draws.apply`."""
        return self._ahead.take(layout, self._ids, self._episodes_begun)
