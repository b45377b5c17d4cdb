"""States first, pixels later: a dataset with other pictures, drawn from the states of one that is there.

The new dataset is made under a hidden name and renamed when it is whole. One that broke off is gone on with where it
was begun with the same settings, from its first damaged episode on, and begun anew where not. One process at a time
makes a dataset: others wait.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robossl.core import CorruptFileError, EnvSpec, UserError
from robossl.core.files import exclusive, sync_folder
from robossl.core.memory import available_bytes
from robossl.core.protocols import Obs
from robossl.core.specs import ArraySpec, RenderSpec
from robossl.data.episode import Episode
from robossl.data.episode_index import FORMAT_VERSION, INDEX_NAME, format_version, read_dataset
from robossl.data.episode_store import EpisodeStore
from robossl.data.episode_tail import keep_first, unnamed
from robossl.data.episode_writer import EpisodeWriter
from robossl.training.interrupt import InterruptWish
from robossl.training.progress import Progress

Paint = Callable[[Sequence[Episode]], list[Obs]]
"""Draws the pictures {key: [T + 1, H, W, C]} of episodes."""

_MIN_STATES = 256  # drawn at once: short episodes are drawn together
_COPIES = 2  # of pictures: a part at a time, then in one piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What was drawn.

    Attributes:
        states: each with all its pictures, in this call; a call before may have drawn others.
    """

    states: int
    seconds: float


def rendered_spec(spec: EnvSpec, pictures: dict[str, ArraySpec], render: RenderSpec) -> EnvSpec:
    """Returns the spec of a dataset whose pictures are replaced; vectors and the simulator's truth stay."""
    return replace(spec, observation={**pictures, **kept(spec)}, render=render)


def kept(spec: EnvSpec) -> dict[str, ArraySpec]:
    """Returns the observations of a dataset that are no pictures."""
    return {key: array for key, array in spec.observation.items() if not array.is_image}


def render_dataset(source: EpisodeStore, folder: Path, spec: EnvSpec, config: dict[str, Any], paint: Paint) -> Rendered:
    """Writes the dataset `folder`: the episodes of `source`, in their order, with pictures that `paint` draws.

    Args:
        source: a dataset with states.
        folder: must not be there yet.
        spec: see `rendered_spec`.
        config: how the data was made, for the header.
        paint: draws.

    Raises:
        Interrupted: after SIGINT, SIGTERM or SIGHUP; the next call goes on from there.
        UserError: if the folder is there, or the disk is full.
        CorruptFileError: if an episode of the source is damaged or lost.
    """
    _require_absent(folder)
    if damage := unnamed(source.folder):  # what is drawn would look whole
        raise CorruptFileError(damage)
    said = f"robossl: waiting for another process that makes {folder}\n"
    with exclusive(folder.with_name(f".{folder.name}.lock"), lambda: sys.stderr.write(said)):
        _require_absent(folder)
        return _render(source, folder, spec, config, paint)


def _render(source: EpisodeStore, folder: Path, spec: EnvSpec, config: dict[str, Any], paint: Paint) -> Rendered:
    config = {**config, "rendered_from": {"folder": str(source.folder), "sha256": _digest(source)}}
    partial = folder.with_name(f".{folder.name}.partial")
    _drop_another(partial, spec, config)
    _drop_damaged(partial)
    began_s, states = time.monotonic(), 0
    with (
        EpisodeWriter(partial, spec, config) as writer,
        InterruptWish("keeping what is drawn; the same command goes on from there") as wish,
        Progress("render", len(source), "episodes", initial=writer.num_episodes) as progress,
    ):
        while writer.num_episodes < len(source):
            episodes = _next(source, writer.num_episodes)
            for episode, pictures in zip(episodes, paint(episodes), strict=True):
                others = {key: episode.obs[key] for key in kept(source.spec)}
                writer.add(replace(episode, obs={**pictures, **others}))
                states += episode.length + 1
                progress.add(1)
            progress.show(**{"states/s": states / (time.monotonic() - began_s)})
            wish.raise_if_received(None)
    partial.rename(folder)
    sync_folder(folder.parent)
    return Rendered(states=states, seconds=time.monotonic() - began_s)


def _require_absent(folder: Path) -> None:
    if folder.exists():
        raise UserError(f"{folder} is there already: give another one with --out")


def require_memory(source: EpisodeStore, num_bytes: int) -> None:
    """Checks that the pictures of what is drawn at once, so many bytes for a state, fit into the memory that is free.

    Raises:
        UserError: if they do not.
    """
    needed, free = _COPIES * num_bytes * (_MIN_STATES + source.longest), available_bytes()
    if free is not None and needed > free:
        raise UserError(
            f"pictures of {_MIN_STATES + source.longest} states, drawn at once, need about {needed / 2**30:,.1f} GiB"
            f" of memory and {free / 2**30:,.1f} GiB are free: ask for fewer appearances, or smaller or fewer pictures"
        )


def _next(source: EpisodeStore, first: int) -> list[Episode]:
    """Returns the next few episodes."""
    episodes: list[Episode] = []
    while first + len(episodes) < len(source) and sum(len(episode.state) for episode in episodes) < _MIN_STATES:
        episodes.append(source[first + len(episodes)])
    return episodes


def _digest(source: EpisodeStore) -> str:
    """Identifies what the source holds: its index has a checksum of everything else."""
    return hashlib.sha256((source.folder / INDEX_NAME).read_bytes()).hexdigest()


def _drop_another(partial: Path, spec: EnvSpec, config: dict[str, Any]) -> None:
    """Removes what a call with other settings, or of another source, has left behind, and what is not readable."""
    is_same = False
    with suppress(UserError):
        found = read_dataset(partial)
        is_same = (found[0].to_json(), found[1]) == (spec.to_json(), json.loads(json.dumps(config)))
        is_same &= format_version(partial) == FORMAT_VERSION
    if not is_same:
        shutil.rmtree(partial, ignore_errors=True)


def _drop_damaged(partial: Path) -> None:
    """Drops the first damaged episode of what broke off and all that follow, so that they are drawn again."""
    if partial.exists():
        store = EpisodeStore(partial)
        num_whole = store.num_whole()
        if num_whole < len(store):
            sys.stderr.write(f"robossl: episode {num_whole} is damaged in {partial}: drawing goes on from there\n")
        keep_first(partial, num_whole)
