"""Which episode runs in each of N worlds, and since when: all that its random numbers depend on."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Draws, Tree, UserError
from robossl.envs.config import WorldSeed
from robossl.envs.draws import FastDraws

_NUM = 2**32  # numbers of worlds, and of episodes, that random numbers tell apart


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
            UserError: if something is no whole number, or one that would stand for another: nothing has changed then.
        """
        worlds = self.worlds if seed is None else replace(self.worlds, seed=seed)
        first_world = int(whole_numbers("first_world", first_world, most=self._last_first_world))
        episode = whole_numbers("first_episode", first_episode)
        self.worlds, self.first_world = worlds, first_world
        self.episode[:], self.elapsed[:] = episode, 0

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

    def require(self, state: Tree) -> None:
        """Checks that `set_state` can take a state.

        Raises:
            UserError: if it cannot.
        """
        replace(self.worlds, seed=state["seed"])
        whole_numbers("the state's first_world", state["first_world"], most=self._last_first_world)
        for name in ("episode", "elapsed"):
            whole_numbers(f"the state's {name}", state[name], self.episode.shape)

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned, of the same stream."""
        self.worlds = replace(self.worlds, seed=state["seed"])
        self.first_world = int(state["first_world"])
        self.episode[:], self.elapsed[:] = state["episode"], state["elapsed"]

    @property
    def _last_first_world(self) -> int:
        return _NUM - len(self.episode)


def whole_numbers(name: str, values: Any, shape: tuple[int, ...] = (), *, most: int = _NUM - 1) -> NDArray[np.int64]:
    """Returns whole numbers from 0 to `most`, in a shape.

    Raises:
        UserError: if they are not that, under their name.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise UserError(f"{name} must be numbers in rows of one length") from error
    if found.shape != shape:
        raise UserError(f"{name} must be {list(shape) or 'one number'}, got {list(found.shape)}")
    if found.dtype.kind not in "iu" or not ((found >= 0) & (found <= most)).all():
        raise UserError(f"{name} must be a whole number from 0 to {most}, got {found.tolist()!r}")
    return found.astype(np.int64)
