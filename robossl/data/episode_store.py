"""Reads episodes from disk, each checked before it is first given out; pictures are views of memory-mapped files."""

import operator
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robossl.core import Array, CorruptFileError
from robossl.data.episode import Episode, validate_episode
from robossl.data.episode_index import (
    DATASET_NAME,
    INDEX_NAME,
    PACKED_NAME,
    IndexEntry,
    dictionary_of,
    picture_specs,
    read_dataset,
    read_index,
    shard_path,
)
from robossl.data.episode_tail import unnamed
from robossl.data.npy_files import open_npy
from robossl.data.packing import unpack

_OBS, _MODEL = "obs/", "model/"


class EpisodeStore:
    """The episodes of a dataset, by number; one that is damaged raises when asked for, the others stay readable.

    Attributes:
        spec: of the environment they come from.
        config: how they were made.

    Raises:
        UserError: if the folder is not a dataset, or of another format version.
        CorruptFileError: if dataset.json was changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec, self.config = read_dataset(folder)
        self._dictionary = dictionary_of(folder)
        self._entries, _, self._unfinished = read_index(folder)
        self._maps: dict[tuple[str, int], Any] = {}
        self._checked: set[int] = set()

    def __len__(self) -> int:
        """Returns the number of episodes, damaged ones included."""
        return len(self._entries)

    @property
    def longest(self) -> int:
        """The number of steps of its longest episode."""
        return max((entry.length for entry in self._entries if entry is not None), default=0)

    def __getitem__(self, index: int) -> Episode:
        """Returns an episode whose arrays are read-only; the pictures are views of the files.

        Raises:
            TypeError: if it is no number.
            IndexError: if there is no such number.
            CorruptFileError: naming the file that is truncated, changed or refused.
        """
        try:
            index = operator.index(index)
        except TypeError as error:
            raise TypeError(f"episodes are given out one by one, by number: got {index!r}") from error
        entry = self._entries[index]
        index %= len(self._entries)
        if entry is None:
            raise CorruptFileError(f"{self.folder / INDEX_NAME}: line {index + 1} is damaged")
        arrays = self._block(index, entry)
        unlike = sorted(set(self.spec.observation) ^ {*entry.crc32, *_observed(arrays)})
        unlike += sorted({"action", "reward", "state"} - set(arrays))
        if unlike:
            raise CorruptFileError(f"{self.folder / DATASET_NAME} and {INDEX_NAME} do not agree about {unlike[0]!r}")
        pictures = {key: self._rows(key, entry) for key in entry.crc32}
        episode = self._episode(entry, pictures, arrays)
        if index not in self._checked:
            self._check(index, entry, pictures)
            self._require_valid(index, episode)
            self._checked.add(index)
        return episode

    def verify(self) -> list[str]:
        """Reads everything and returns one line for each thing that is damaged."""
        damages = Counter[str](str(damage) for damage in self._damages() if damage is not None)
        if damage := unnamed(self.folder):
            damages[damage] = 0
        if self._unfinished:
            damages[f"{self.folder / INDEX_NAME}: the last line is unfinished; appending drops it"] = 0
        return [f"{text} ({count} episodes)" if count > 1 else text for text, count in damages.items()]

    def num_whole(self) -> int:
        """Returns how many episodes there are before the first damaged one; they are read."""
        return next((index for index, damage in enumerate(self._damages()) if damage is not None), len(self))

    def summary(self) -> dict[str, Any]:
        """Returns counts, sizes and means of the episodes whose index lines are readable, as JSON values."""
        entries = [entry for entry in self._entries if entry is not None]
        num_diverged = sum("diverged" in entry.info for entry in entries)
        return {
            "env": self.spec.id,
            "episodes": len(entries),
            **({"num_diverged": num_diverged} if num_diverged else {}),
            "steps": sum(entry.length for entry in entries),
            "bytes": sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
            "return_mean": float(np.mean([entry.episode_return for entry in entries])) if entries else None,
            "success_rate": _success_rate([entry.info for entry in entries]),
            "keys": {key: f"{spec.dtype}{list(spec.shape)}" for key, spec in self.spec.observation.items()},
        }

    def _damages(self) -> Iterator[CorruptFileError | None]:
        """Reads one episode after the other and returns what is wrong with it."""
        for index in range(len(self)):
            self._checked.discard(index)
            try:
                self[index]
            except CorruptFileError as error:
                yield error
            else:
                yield None

    def _block(self, index: int, entry: IndexEntry) -> dict[str, Array]:
        """Reads an episode's block of the packed file; its checksum is compared every time."""
        path = self.folder / PACKED_NAME
        start, size, crc32, num_bytes = entry.block
        try:
            with path.open("rb") as file:
                file.seek(start)
                block = file.read(size)
        except OSError as error:
            raise CorruptFileError(f"{path} cannot be read: {error.strerror}") from error
        if len(block) != size:
            raise CorruptFileError(f"{path} ends before byte {start + size}, which {INDEX_NAME} names")
        if zlib.crc32(block) != crc32:
            raise CorruptFileError(f"{path}: the block of episode {index} is not what was written")
        try:
            return unpack(block, num_bytes, self._dictionary)
        except ValueError as error:
            raise CorruptFileError(f"{path}: the block of episode {index} cannot be read: {error}") from error

    def _rows(self, key: str, entry: IndexEntry) -> Array:
        place = (key, entry.shard)
        if place not in self._maps:
            self._maps[place] = self._open(shard_path(self.folder, *place), key)
        rows = self._maps[place][entry.row : entry.end]
        if len(rows) != entry.length + 1:
            path = shard_path(self.folder, *place)
            raise CorruptFileError(f"{path} ends before row {entry.end}, which {INDEX_NAME} names")
        return rows

    def _open(self, path: Path, key: str) -> Array:
        rows = open_npy(path)
        expected = picture_specs(self.spec)[key]
        if rows.ndim < 1 or rows.shape[1:] != expected.shape or rows.dtype != expected.dtype:
            raise CorruptFileError(
                f"{path} has rows {rows.dtype}{list(rows.shape[1:])}, not {expected.dtype}{list(expected.shape)}"
            )
        return rows

    def _check(self, index: int, entry: IndexEntry, pictures: dict[str, Array]) -> None:
        for key, rows in pictures.items():
            if zlib.crc32(rows) != entry.crc32[key]:
                path = shard_path(self.folder, key, entry.shard)
                raise CorruptFileError(f"{path}: the rows of episode {index} are not what was written")

    def _require_valid(self, index: int, episode: Episode) -> None:
        try:
            validate_episode(episode, self.spec)
        except ValueError as error:
            files = f"{self.folder / DATASET_NAME} and {PACKED_NAME}"
            raise CorruptFileError(f"{files} do not agree about episode {index}: {error}") from error

    def _episode(self, entry: IndexEntry, pictures: dict[str, Array], arrays: dict[str, Array]) -> Episode:
        model = (name for name in arrays if name.startswith(_MODEL))
        return Episode(
            obs={key: pictures[key] if key in pictures else arrays[_OBS + key] for key in self.spec.observation},
            action=arrays["action"],
            reward=arrays["reward"],
            terminated=entry.terminated,
            truncated=entry.truncated,
            state=arrays["state"],
            model_values={name.removeprefix(_MODEL): arrays[name] for name in model},
            info=dict(entry.info),
            seed=entry.seed,
            stream=entry.stream,
            world=entry.world,
            episode=entry.episode,
        )


def _observed(arrays: dict[str, Array]) -> list[str]:
    """Returns the keys of the observations in a block."""
    return [name.removeprefix(_OBS) for name in arrays if name.startswith(_OBS)]


def _success_rate(infos: list[Mapping[str, float]]) -> float | None:
    """Returns the share of successes; None where none is told.

    An environment that tells of success anywhere had none where it says nothing. Whoever watched a robot
    (`guard_changed`, which robossl 0.1 wrote as well) may not have judged.
    """
    if not any("success" in info for info in infos):
        return None
    judged = [info.get("success", 0.0) for info in infos if "success" in info or "guard_changed" not in info]
    return float(np.mean(judged))
