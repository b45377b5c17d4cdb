"""An episode: everything one world saw, did and got, with what is needed to simulate and draw it again."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, EnvSpec, Obs


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """T steps of one world.

    Attributes:
        obs: {key: [T + 1, ...]}; pictures [T + 1, H, W, C].
        action: [T, A] in [-1, 1].
        reward: [T].
        terminated, truncated: how it ended; never both.
        state: [T + 1, S] float64, the physics state of each observation; S may be 0.
        model_values: {field: [...]}, the model values randomised in this episode.
        info: {name: number}, the episode's metrics and success.
        seed, stream, world, episode: together they name the episode's random draws.
    """

    obs: Obs
    action: NDArray[np.float32]
    reward: NDArray[np.float32]
    terminated: bool
    truncated: bool
    state: NDArray[np.float64]
    model_values: dict[str, Array] = field(default_factory=dict)
    info: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    stream: int = 0
    world: int = 0
    episode: int = 0

    @property
    def length(self) -> int:
        """T, the number of actions."""
        return len(self.action)


class Episodes(Protocol):
    """Numbered episodes: an `EpisodeStore` or a list."""

    def __len__(self) -> int:
        """Returns how many there are."""

    def __getitem__(self, index: int, /) -> Episode:
        """Returns one of them."""


def validate_episode(episode: Episode, spec: EnvSpec) -> None:
    """Checks an episode against the environment it is said to come from.

    Raises:
        ValueError: naming the first array that has another shape, dtype or range, or a contradiction.
    """
    if episode.length < 1:
        raise ValueError("an episode needs at least one step")
    if episode.terminated and episode.truncated:
        raise ValueError("an episode cannot be both terminated and truncated")
    if set(episode.obs) != set(spec.observation):
        raise ValueError(f"the episode has observations {sorted(episode.obs)}, the spec {sorted(spec.observation)}")
    for key, expected in spec.observation.items():
        _check(f"observation {key!r}", episode.obs[key], expected, episode.length + 1)
    _check("action", episode.action, ArraySpec(shape=spec.action.shape), episode.length)
    _check("reward", episode.reward, ArraySpec(shape=()), episode.length)
    _check("state", episode.state, ArraySpec(shape=episode.state.shape[-1:], dtype="float64"), episode.length + 1)
    if np.abs(episode.action).max(initial=0) > 1:
        raise ValueError("the episode has an action outside [-1, 1]")
    if not all(np.isfinite(value) for value in episode.info.values()):
        raise ValueError(f"the episode's info is not finite: {episode.info}")


def _check(what: str, array: Array, spec: ArraySpec, length: int) -> None:
    if array.shape != (length, *spec.shape) or array.dtype != spec.dtype:
        raise ValueError(
            f"{what} must be {spec.dtype}{[length, *spec.shape]}, got {array.dtype}{list(np.shape(array))}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{what} is not finite")
