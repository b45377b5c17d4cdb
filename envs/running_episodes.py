"""Which episode runs in each of N worlds, and since when: all that its random numbers depend on."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robossl.core import Draws, Tree, UserError
from robossl.envs.config import WorldSeed
from robossl.envs.draws import FastDraws


class RunningEpisodes:
    """The running episodes of N worlds.

    Attributes:
        worlds: their seed and stream.
        first_world: the number of the first world; the others follow.
        episode: [N] numbers of the episodes; always this array.
        elapsed: [N] decisions made in them; always this array.
    """

    def __init__(self, worlds: WorldSeed, num_worlds: int) -> None:
        self.worlds, self.first_world = worlds, 0
        self.episode, self.elapsed = np.zeros(num_worlds, np.int64), np.zeros(num_worlds, np.int64)

    def begin(self, first_world: int, first_episode: int, seed: int | None) -> None:
        """Begins an episode in every world; of the seed that there was where None.

        Raises:
            UserError: if something is no whole number, or a negative one: nothing has changed then.
        """
        for name, number in {"first_world": first_world, "first_episode": first_episode}.items():
            if not isinstance(number, int | np.integer) or number < 0:
                raise UserError(f"{name} must be a whole number that is not negative, got {number!r}")
        if seed is not None:
            self.worlds = replace(self.worlds, seed=seed)
        self.first_world = first_world
        self.episode[:], self.elapsed[:] = first_episode, 0

    def keys(self) -> dict[str, NDArray[np.int64]]:
        """See `BatchEnv.episode_keys`."""
        return {"world": self.first_world + np.arange(len(self.episode)), "episode": self.episode.copy()}

    def draws(self, ids: NDArray[np.int64]) -> Draws:
        """Returns the random numbers of the episodes in the worlds `ids`."""
        return FastDraws(self.worlds.seed, self.worlds.stream, self.first_world + ids, self.episode[ids])

    def get_state(self) -> Tree:
        """Returns all of it."""
        return {
            "seed": self.worlds.seed,
            "stream": int(self.worlds.stream),
            "first_world": self.first_world,
            "episode": self.episode.copy(),
            "elapsed": self.elapsed.copy(),
        }

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned, of the same stream."""
        self.worlds = replace(self.worlds, seed=int(state["seed"]))
        self.first_world = int(state["first_world"])
        self.episode[:], self.elapsed[:] = state["episode"], state["elapsed"]
