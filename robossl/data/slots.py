"""What a slot of the replay holds: a single observation, and the action that follows with what came of it."""

from collections.abc import Iterable, Mapping

import numpy as np

from robossl.core import Array, ArraySpec, Obs
from robossl.data.episode import Episode
from robossl.data.links import LINK_SPECS
from robossl.data.replay_sampling import OBS


def slot_specs(observation: Mapping[str, ArraySpec], action_dim: int) -> dict[str, ArraySpec]:
    """Returns the specs of a slot's columns, its links among them."""
    return {
        **{OBS + key: spec for key, spec in observation.items()},
        "action": ArraySpec(shape=(action_dim,)),
        "reward": ArraySpec(shape=()),
        "terminated": ArraySpec(shape=(), dtype="bool"),
        **LINK_SPECS,
    }


def observed(obs: Obs, keys: Iterable[str]) -> dict[str, Array]:
    """Returns the columns of some observations.

    Raises:
        ValueError: if one is missing.
    """
    columns = {}
    for key in keys:
        if key not in obs:
            raise ValueError(f"there is no observation {key!r}, only {', '.join(obs)}")
        columns[OBS + key] = obs[key]
    return columns


def nothing_done(count: int, action_dim: int) -> dict[str, Array]:
    """Returns what last observations hold in place of an action and its outcome."""
    return {
        "action": np.zeros((count, action_dim), np.float32),
        "reward": np.zeros(count, np.float32),
        "terminated": np.zeros(count, bool),
    }


def episode_slots(episode: Episode, keys: Iterable[str], action_dim: int) -> dict[str, Array]:
    """Returns the columns {name: [T + 1, ...]} of a whole episode; its pictures [H, W, C] become [C, H, W].

    Raises:
        ValueError: if an observation is missing.
    """
    terminated = np.zeros(episode.length, bool)
    terminated[-1:] = episode.terminated
    steps = {"action": episode.action, "reward": episode.reward, "terminated": terminated}
    done = {name: np.concatenate([steps[name], last]) for name, last in nothing_done(1, action_dim).items()}
    return {**{name: _channels_first(value) for name, value in observed(episode.obs, keys).items()}, **done}


def single_spec(frames: Array) -> ArraySpec:
    """Returns the spec of a single one of an episode's observations [T + 1, ...]."""
    return ArraySpec(shape=_channels_first(frames).shape[1:], dtype=str(frames.dtype))


def _channels_first(values: Array) -> Array:
    """Turns pictures [T, H, W, C] to [T, C, H, W]; leaves vectors [T, D] as they are."""
    return values.transpose(0, 3, 1, 2) if values.ndim == 4 else values
