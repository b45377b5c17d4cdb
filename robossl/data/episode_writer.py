"""Writes episodes to disk so that an interruption at any moment loses only those in flight."""

import os
import time
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from robossl.core import Array, CorruptFileError, EnvSpec, UserError
from robossl.core.files import lock_at_once, make_folder
from robossl.core.specs import require_same_observation
from robossl.data.episode import Episode, validate_episode
from robossl.data.episode_index import (
    DATASET_NAME,
    FORMAT_VERSION,
    INDEX_NAME,
    PACKED_NAME,
    IndexEntry,
    arrays_of,
    dictionary_of,
    encode_line,
    format_version,
    pictures_of,
    read_dataset,
    read_index,
    shard_path,
    write_dataset,
)
from robossl.data.episode_tail import end_of_blocks, end_of_rows, unnamed
from robossl.data.npy_files import create_npy, open_npy, resize_npy
from robossl.data.packing import pack, unpack

FIRST_SHARD_BYTES = 1 << 22
LAST_SHARD_BYTES = 1 << 28
SYNC_INTERVAL_S = 1.0


class EpisodeWriter:
    """Creates a dataset, or appends to one of the same environment; a context manager.

    An episode's arrays are written first, its line in the index after them: one block that no line names is free, and a
    later writer overwrites it. A process that is killed or interrupted therefore loses only the episode being added.
    Once every SYNC_INTERVAL_S, and when closed, everything is synced to the disk, arrays before lines; a power cut
    loses what came after, checksums tell, and where blocks without lines are left a person gives them up. Shards of
    pictures grow from the first to the last, so that there are few files; no episode crosses two, and closing gives
    back the rows that nobody used.

    Args:
        folder: new, empty, or a dataset.
        spec: of the environment.
        config: how the episodes were made, as JSON values; kept from the first writer.

    Raises:
        UserError: if another writer is at work, the folder holds something else, or a dataset of another environment
            or format version.
        CorruptFileError: if lines of the index are lost: their episodes would be overwritten.
    """

    def __init__(self, folder: Path, spec: EnvSpec, config: dict[str, Any]) -> None:
        self.folder, self.spec = folder, spec
        self._maps: dict[str, Any] = {}
        self._shard, self._row, self._num_rows = -1, 0, 0
        self._num_state: int | None = None  # of earlier episodes
        self._is_adding = False  # also after an addition that broke off: only the index tells how far it came
        make_folder(folder)
        _require_no_strangers(folder)  # before a lock is left in somebody else's folder
        self._lock = _locked(folder)
        try:
            self._begin(config)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "EpisodeWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, episode: Episode) -> int:
        """Writes an episode and returns its number.

        Raises:
            ValueError: if it does not fit the environment's spec, or its arrays differ from earlier episodes'.
            UserError: if the disk is full; earlier episodes are intact, and the episode may be added again.
        """
        validate_episode(episode, self.spec)
        if self._is_adding:
            self._go_on(*read_index(self.folder)[:2])
        num_state = episode.state.shape[1]
        if self._num_state not in (None, num_state):
            raise ValueError(f"states have {num_state} numbers, those of earlier episodes {self._num_state}")
        pictures = pictures_of(episode)
        self._is_adding = True
        if pictures:
            self._place(pictures, episode.length + 1)
        for key, rows in pictures.items():
            self._maps[key][self._row : self._row + len(rows)] = rows
        block = self._write_block(*pack(arrays_of(episode), self._dictionary))
        self._write_line(self._entry(episode, pictures, block))
        self._row += episode.length + 1
        self._end += block[1]
        self._num_state = num_state
        self.num_episodes += 1
        self._is_adding = False
        if time.monotonic() - self._synced_at >= SYNC_INTERVAL_S:
            self.sync()
        return self.num_episodes - 1

    def sync(self) -> None:
        """Makes everything added so far survive a power cut.

        Raises:
            UserError: if the disk reports an error.
        """
        try:
            for rows in self._maps.values():
                rows.flush()
            os.fsync(self._packed.fileno())
            os.fsync(self._index.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self.folder}: {error.strerror or error}") from error
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Syncs and lets other writers in."""
        if self._lock.closed:
            return
        try:
            self.sync()
            row = end_of_rows(read_index(self.folder)[0], self._shard) if self._is_adding else self._row
            for key in self._maps:
                resize_npy(shard_path(self.folder, key, self._shard), row)
        finally:
            self._maps = {}
            self._packed.close()
            self._index.close()
            self._lock.close()

    def _begin(self, config: dict[str, Any]) -> None:
        if not (self.folder / DATASET_NAME).exists():
            write_dataset(self.folder, self.spec, config)
        _require_same_spec(self.folder, self.spec)
        if format_version(self.folder) != FORMAT_VERSION:
            raise UserError(
                f"{self.folder} has an older format, version {format_version(self.folder)}: it can be read, but nothing"
                f" is added to it; this robossl writes version {FORMAT_VERSION} into another folder"
            )
        if damage := unnamed(self.folder):
            raise CorruptFileError(f"nothing is added: {damage}")
        self._dictionary = dictionary_of(self.folder)
        entries, num_bytes, _ = read_index(self.folder)
        self._index: IO[bytes] = (self.folder / INDEX_NAME).open("ab", buffering=0)
        self._packed = self._open_packed(is_named=end_of_blocks(entries) > 0)
        self._synced_at = time.monotonic()
        self._go_on(entries, num_bytes)

    def _open_packed(self, *, is_named: bool) -> IO[bytes]:
        """Opens the file of blocks."""
        path = self.folder / PACKED_NAME
        try:
            return path.open("r+b" if is_named else "w+b", buffering=0)
        except OSError as error:
            raise UserError(f"{path} cannot be opened: {error.strerror}; {INDEX_NAME} names blocks in it") from error

    def _go_on(self, entries: list[IndexEntry | None], num_bytes: int) -> None:
        """Makes what comes next follow what the index names, and cuts off what it does not."""
        whole = [entry for entry in entries if entry is not None]
        self.num_episodes = len(entries)
        self._end = end_of_blocks(entries)
        self._index.truncate(num_bytes)
        self._packed.truncate(self._end)
        self._num_state = self._width_of(whole[-1]) if whole else None
        self._resume([entry for entry in whole if entry.crc32])

    def _width_of(self, entry: IndexEntry) -> int | None:
        """Returns how many numbers an episode's states have; None where its block is damaged."""
        start, size, _, num_bytes = entry.block
        self._packed.seek(start)
        try:
            return int(unpack(self._packed.read(size), num_bytes, self._dictionary)["state"].shape[1])
        except (ValueError, KeyError, IndexError):
            return None

    def _resume(self, entries: list[IndexEntry]) -> None:
        """Continues in the newest shard, or, where it is damaged, in a new one."""
        self._maps, self._shard, self._row, self._num_rows = {}, -1, 0, 0
        if not entries:
            return
        self._shard = max(entry.shard for entry in entries)
        newest = [entry for entry in entries if entry.shard == self._shard]
        paths = {key: shard_path(self.folder, key, self._shard) for key in newest[0].crc32}
        try:
            rows = {key: open_npy(path) for key, path in paths.items()}
            wanted = self._planned_rows({key: part[:1] for key, part in rows.items()}, self._shard)
            self._num_rows = max(wanted, *(len(part) for part in rows.values()))
            for path in paths.values():
                resize_npy(path, self._num_rows)
            self._maps = {key: open_npy(path, "r+") for key, path in paths.items()}
        except CorruptFileError:
            self._num_rows = 0
            return
        self._row = end_of_rows(entries, self._shard)

    def _planned_rows(self, pictures: dict[str, Array], shard: int) -> int:
        """Returns how many rows a shard has; it has more where its first episode does."""
        row_bytes = max(rows[0].nbytes for rows in pictures.values())
        return int(min(FIRST_SHARD_BYTES << shard, LAST_SHARD_BYTES) // row_bytes)

    def _place(self, pictures: dict[str, Array], num_rows: int) -> None:
        """Makes sure that the next rows of the current shard are there."""
        for name, rows in pictures.items():
            known = self._maps.get(name, rows if not self._maps else None)
            if known is None or (known.shape[1:], known.dtype) != (rows.shape[1:], rows.dtype):
                raise ValueError(
                    f"{name} has rows {rows.dtype}{list(rows.shape[1:])}, unlike those of earlier episodes"
                )
        if self._row + num_rows <= self._num_rows:
            return
        shard = self._shard + 1
        wanted = max(num_rows, self._planned_rows(pictures, shard))
        maps = {
            name: create_npy(shard_path(self.folder, name, shard), (wanted, *rows.shape[1:]), str(rows.dtype))
            for name, rows in pictures.items()
        }
        for key, rows in self._maps.items():
            rows.flush()
            resize_npy(shard_path(self.folder, key, self._shard), self._row)
        self._maps, self._shard, self._row, self._num_rows = maps, shard, 0, wanted

    def _write_block(self, block: bytes, num_bytes: int) -> list[int]:
        """Writes an episode's block behind the others and returns what the index tells of it."""
        try:
            self._packed.truncate(self._end)  # of an episode that failed nothing may be left behind this one
            self._packed.seek(self._end)
            written = self._packed.write(block)
            if written != len(block):
                raise OSError(f"only {written} of {len(block)} bytes fitted")
        except OSError as error:
            raise UserError(f"cannot write {self.folder / PACKED_NAME}: {error.strerror or error}") from error
        return [self._end, len(block), zlib.crc32(block), num_bytes]

    def _entry(self, episode: Episode, pictures: dict[str, Array], block: list[int]) -> IndexEntry:
        return IndexEntry(
            shard=self._shard if pictures else -1,
            row=self._row if pictures else 0,
            length=episode.length,
            crc32={key: zlib.crc32(rows) for key, rows in pictures.items()},
            block=block,
            terminated=bool(episode.terminated),
            truncated=bool(episode.truncated),
            seed=int(episode.seed),
            stream=int(episode.stream),
            world=int(episode.world),
            episode=int(episode.episode),
            episode_return=float(episode.reward.sum(dtype="float64")),
            info={name: float(value) for name, value in episode.info.items()},
        )

    def _write_line(self, entry: IndexEntry) -> None:
        line = encode_line(entry)
        size = os.fstat(self._index.fileno()).st_size
        try:
            written = self._index.write(line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes fitted")
        except OSError as error:
            self._index.truncate(size)
            raise UserError(f"cannot write {self.folder / INDEX_NAME}: {error.strerror or error}") from error


def _require_no_strangers(folder: Path) -> None:
    strangers = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if strangers and not (folder / DATASET_NAME).exists():  # asked in the end: another writer may have begun meanwhile
        raise UserError(f"{folder} is neither empty nor a dataset: it holds {strangers[0]!r}")


def _locked(folder: Path) -> IO[bytes]:
    lock = lock_at_once(folder / ".lock")
    if lock is None:
        raise UserError(f"{folder} is being written by another process")
    return lock


def _require_same_spec(folder: Path, spec: EnvSpec) -> None:
    stored, _ = read_dataset(folder)
    require_same_observation(stored, spec, where=str(folder))
    old, new = stored.to_json(), spec.to_json()
    different = [name for name in old if old[name] != new[name]]
    if different:
        raise UserError(f"{folder} holds episodes of another environment: its {different[0]} differs")
