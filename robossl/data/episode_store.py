"""Reads episodes from disk: views of memory-mapped files, each checked before it is first given out."""

import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from robossl.core import Array, ArraySpec, CorruptFileError
from robossl.data.episode import Episode
from robossl.data.episode_index import (
    DATASET_NAME,
    INDEX_NAME,
    IndexEntry,
    decode_array,
    read_dataset,
    read_index,
    row_specs,
    shard_path,
)
from robossl.data.npy_files import open_npy


class EpisodeStore:
    """The episodes of a dataset, by number; one that is damaged raises when asked for, the others stay readable.

    Attributes:
        spec: of the environment they come from.
        config: how they were made.

    Raises:
        UserError: if the folder is not a dataset, of another format version, or dataset.json was changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec, self.config = read_dataset(folder)
        self._entries, _, self._unfinished = read_index(folder)
        self._maps: dict[tuple[str, int], Any] = {}
        self._checked: set[int] = set()

    def __len__(self) -> int:
        """Returns the number of episodes, damaged ones included."""
        return len(self._entries)

    def __getitem__(self, index: int) -> Episode:
        """Returns an episode whose arrays are read-only views of the files.

        Raises:
            IndexError: if there is no such number.
            CorruptFileError: naming the file that is truncated, changed or refused.
        """
        entry = self._entries[index]
        index %= len(self._entries)
        if entry is None:
            raise CorruptFileError(f"{self.folder / INDEX_NAME}: line {index + 1} is damaged")
        unlike = sorted(set(row_specs(self.spec)) ^ (set(entry.crc32) - {"state"}))
        if unlike:
            raise CorruptFileError(f"{self.folder / DATASET_NAME} and {INDEX_NAME} do not agree about {unlike[0]!r}")
        columns = {name: self._rows(name, entry) for name in entry.crc32}
        if index not in self._checked:
            self._check(index, entry, columns)
            self._checked.add(index)
        return self._episode(entry, columns)

    def verify(self) -> list[str]:
        """Reads everything and returns one line for each thing that is damaged."""
        damages = Counter[str]()
        for index in range(len(self)):
            try:
                self._checked.discard(index)
                self[index]
            except CorruptFileError as error:
                damages[str(error)] += 1
        if self._unfinished:
            damages[f"{self.folder / INDEX_NAME}: the last line is unfinished; appending drops it"] = 0
        return [f"{text} ({count} episodes)" if count > 1 else text for text, count in damages.items()]

    def summary(self) -> dict[str, Any]:
        """Returns counts, sizes and means of the episodes whose index lines are readable, as JSON values."""
        entries = [entry for entry in self._entries if entry is not None]
        success = [entry.info["success"] for entry in entries if "success" in entry.info]
        return {
            "env": self.spec.id,
            "episodes": len(entries),
            "steps": sum(entry.length for entry in entries),
            "bytes": sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
            "return_mean": float(np.mean([entry.episode_return for entry in entries])) if entries else None,
            "success_rate": float(np.mean(success)) if success else None,
            "keys": {key: f"{spec.dtype}{list(spec.shape)}" for key, spec in self.spec.observation.items()},
        }

    def _rows(self, column: str, entry: IndexEntry) -> Array:
        key = (column, entry.shard)
        if key not in self._maps:
            self._maps[key] = self._open(shard_path(self.folder, *key), column)
        rows = self._maps[key][entry.row : entry.end]
        if len(rows) != entry.length + 1:
            path = shard_path(self.folder, *key)
            raise CorruptFileError(f"{path} ends before row {entry.end}, which {INDEX_NAME} names")
        return rows

    def _open(self, path: Path, column: str) -> Array:
        rows = open_npy(path)
        expected = row_specs(self.spec).get(column, ArraySpec(shape=rows.shape[1:2], dtype="float64"))
        if rows.ndim < 1 or rows.shape[1:] != expected.shape or rows.dtype != expected.dtype:
            raise CorruptFileError(
                f"{path} has rows {rows.dtype}{list(rows.shape[1:])}, not {expected.dtype}{list(expected.shape)}"
            )
        return rows

    def _check(self, index: int, entry: IndexEntry, columns: dict[str, Array]) -> None:
        for name, rows in columns.items():
            if zlib.crc32(rows) != entry.crc32[name]:
                path = shard_path(self.folder, name, entry.shard)
                raise CorruptFileError(f"{path}: the rows of episode {index} are not what was written")

    def _episode(self, entry: IndexEntry, columns: dict[str, Array]) -> Episode:
        length = entry.length
        return Episode(
            obs={key: columns[f"obs/{key}"] for key in self.spec.observation},
            action=columns["action"][:length],
            reward=columns["reward"][:length],
            terminated=entry.terminated,
            truncated=entry.truncated,
            state=columns.get("state", np.zeros((length + 1, 0))),
            model_values={name: decode_array(fields) for name, fields in entry.model_values.items()},
            info=dict(entry.info),
            seed=entry.seed,
            stream=entry.stream,
            world=entry.world,
            episode=entry.episode,
        )
