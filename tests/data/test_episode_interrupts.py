"""A writer that is interrupted, or killed, between any two of its lines: only the episode being added may be lost."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from episode_checks import CONFIG, assert_same_episode

from robossl.core import EnvSpec
from robossl.data import Episode, EpisodeStore, EpisodeWriter, episode_writer

pytestmark = pytest.mark.usefixtures("_tiny_shards", "_no_waiting_for_the_disk")


EVERY = 0


class Before:
    """Does something before the n-th line that the writer runs, or before every one."""

    def __init__(self, number: int, do: Callable[[], None]) -> None:
        self.number, self.count, self._do = number, 0, do

    def __enter__(self) -> "Before":
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != episode_writer.__file__:
            return None
        if event == "line":
            self.count += 1
            if self.number in (self.count, EVERY):
                self._do()
        return self._trace


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr(np.memmap, "flush", lambda rows: None)


@pytest.fixture
def three(make_episode: Callable[..., Episode]) -> list[Episode]:
    """Returns episodes of which the second takes another shard."""
    return [make_episode(0, number, length) for number, length in enumerate((3, 8, 2))]


@pytest.fixture
def begun(tmp_path: Path, spec: EnvSpec, three: list[Episode]) -> Path:
    """Returns a dataset that holds the first of them."""
    with EpisodeWriter(tmp_path / "begun", spec, CONFIG) as writer:
        writer.add(three[0])
    return tmp_path / "begun"


def interrupted_copies(folder: Path, parent: Path) -> Iterator[tuple[Path, Before]]:
    """Yields copies of a dataset, each with the interrupt of a later line, up to the first that no line is left for."""
    number, was_interrupted = 0, True
    while was_interrupted:
        number += 1
        before = Before(number, interrupt)
        yield shutil.copytree(folder, parent / str(number)), before
        was_interrupted = before.count >= number
    assert number > 50


def require_kept(folder: Path, episodes: list[Episode], num_added: int) -> int:
    """Checks that what was added is there; returns how many episodes are."""
    store = EpisodeStore(folder)
    assert [line for line in store.verify() if "unfinished" not in line] == []
    assert num_added <= len(store) <= num_added + 1
    for index in range(len(store)):
        assert_same_episode(store[index], episodes[index])
    return len(store)


def require_going_on(folder: Path, spec: EnvSpec, episodes: list[Episode], num_added: int) -> None:
    """Checks that what was added is there, and adds the rest with another writer."""
    there = require_kept(folder, episodes, num_added)
    with EpisodeWriter(folder, spec, CONFIG) as writer:
        for episode in episodes[there:]:
            writer.add(episode)
    assert require_kept(folder, episodes, len(episodes)) == len(episodes)


def test_an_interrupt_at_any_line_of_adding_and_closing_keeps_what_was_added(
    begun: Path, tmp_path: Path, spec: EnvSpec, three: list[Episode]
) -> None:
    for folder, interrupted in interrupted_copies(begun, tmp_path):
        writer = EpisodeWriter(folder, spec, CONFIG)
        with interrupted, suppress(KeyboardInterrupt), writer:
            writer.add(three[1])
        writer._lock.close()  # as the end of the process does
        require_going_on(folder, spec, three, writer.num_episodes)


def test_a_writer_whose_addition_was_interrupted_goes_on_behind_what_is_there(
    begun: Path, tmp_path: Path, spec: EnvSpec, three: list[Episode]
) -> None:
    for folder, interrupted in interrupted_copies(begun, tmp_path):
        with EpisodeWriter(folder, spec, CONFIG) as writer:
            with interrupted, suppress(KeyboardInterrupt):
                writer.add(three[1])
            there = three[: len(EpisodeStore(folder))]
            assert writer.add(three[2]) == len(there)
        assert require_kept(folder, [*there, three[2]], len(there) + 1) == len(there) + 1


def test_a_writer_that_is_killed_at_any_line_keeps_what_was_added(
    begun: Path, tmp_path: Path, spec: EnvSpec, three: list[Episode]
) -> None:
    copies: list[Path] = []
    writer = EpisodeWriter(begun, spec, CONFIG)
    with Before(EVERY, lambda: copies.append(shutil.copytree(begun, tmp_path / str(len(copies))))), writer:
        writer.add(three[1])
    for killed in copies:
        require_going_on(killed, spec, three, 1)
    assert len(copies) > 50
