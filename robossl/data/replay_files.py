"""Checkpoints of the replay: files of consecutive slots, written and hashed once and shared between checkpoints."""

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as pack_safetensors

from robossl.core import CorruptFileError, UserError
from robossl.core.files import write_atomic
from robossl.data.columns import Columns
from robossl.data.links import EpisodeLinks

SLOTS_PER_FILE = 2048


class ReplayFiles:
    """Writes the slots of a ring as files that begin at multiples of SLOTS_PER_FILE serials.

    Slots never change once their successors are numbered and written, so a file full of such slots is sealed: the next
    checkpoint hard-links it. Only the youngest slots are written anew. A file's name holds its first serial and its
    hash; a file whose slots have all been overwritten is no longer named.
    """

    def __init__(self, columns: Columns, links: EpisodeLinks) -> None:
        self._columns = columns
        self._links = links
        self._sealed: dict[int, dict[str, Any]] = {}

    def save(self, folder: Path, previous: Path | None) -> dict[str, Any]:
        """See `Replay.save`."""
        links = self._links
        begin = links.oldest // SLOTS_PER_FILE * SLOTS_PER_FILE
        self._sealed = {start: entry for start, entry in self._sealed.items() if start >= begin}
        files = []
        for start in range(begin, links.head, SLOTS_PER_FILE):
            entry = self._sealed.get(start)
            if entry is None or not _linked(previous, folder, entry):
                entry = self._write(folder, max(start, links.oldest), min(start + SLOTS_PER_FILE, links.head))
            if start + SLOTS_PER_FILE <= links.num_settled:
                self._sealed[start] = entry
            files.append(entry)
        return {"ring": links.get_state(), "files": files}

    def load(self, folder: Path, meta: dict[str, Any], config: dict[str, Any]) -> None:
        """See `Replay.load`."""
        for name, value in config.items():
            if meta["config"][name] != value:
                raise UserError(f"{folder}: the replay was saved with {name} {meta['config'][name]}, not {value}")
        head = meta["ring"]["head"]
        for entry in meta["files"]:
            self._read(folder / entry["name"], entry, oldest=max(0, head - self._links.capacity))
        self._links.set_state(head, meta["ring"]["last"])
        stops = {entry["first"] + entry["count"]: entry for entry in meta["files"]}
        self._sealed = {
            stop - SLOTS_PER_FILE: entry
            for stop, entry in stops.items()
            if stop % SLOTS_PER_FILE == 0 and stop <= self._links.num_settled
        }

    def _write(self, folder: Path, first: int, stop: int) -> dict[str, Any]:
        rows = self._links.rows(torch.arange(first, stop))
        content = pack_safetensors({name: self._columns.take(name, rows).cpu() for name in self._columns.specs})
        digest = hashlib.sha256(content).hexdigest()
        name = f"slots-{first:012d}-{digest[:16]}.safetensors"
        write_atomic(folder / name, content)
        return {"name": name, "first": first, "count": stop - first, "bytes": len(content), "sha256": digest}

    def _read(self, path: Path, entry: dict[str, Any], *, oldest: int) -> None:
        tensors = _verified(path, entry)
        serial = torch.arange(entry["first"], entry["first"] + entry["count"])
        kept = serial >= oldest
        try:
            self._columns.check(tensors, entry["count"])
            self._columns.put(self._links.rows(serial[kept]), {name: value[kept] for name, value in tensors.items()})
        except (KeyError, ValueError) as error:
            raise CorruptFileError(f"{path} does not hold this replay's slots: {error}") from error


def _linked(previous: Path | None, folder: Path, entry: dict[str, Any]) -> bool:
    """Tries to share a file with another checkpoint; where that one is gone or elsewhere, it is written anew."""
    if previous is None:
        return False
    source = previous / entry["name"]
    try:
        if source.stat().st_size != entry["bytes"]:
            return False
        os.link(source, folder / entry["name"])
    except OSError:
        return False
    return True


def _verified(path: Path, entry: dict[str, Any]) -> dict[str, torch.Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) != entry["bytes"]:
        raise CorruptFileError(f"{path} has {len(content)} bytes, {entry['bytes']} were written: it is truncated")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise CorruptFileError(f"{path} is not what was written: its hash differs")
    try:
        return dict(parse_safetensors(content))
    except SafetensorError as error:
        raise CorruptFileError(f"{path} is not a safetensors file: {error}") from error
