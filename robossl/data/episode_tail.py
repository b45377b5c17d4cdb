"""Blocks that the index of a dataset does not name, and episodes that shall be written anew.

A writer that is killed leaves one block whose line it did not come to write; the next writer overwrites it. More than
that, or anything at all where the last line is damaged or the index is gone, belongs to episodes whose lines are lost:
somebody took the index away, or the power went before it was on the disk. So does whatever lies between two blocks that
are named, as they are written one behind the other, unless a damaged line between theirs says what it was.
"""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from robossl.core.files import write_atomic
from robossl.data.episode_index import INDEX_NAME, PACKED_NAME, IndexEntry, dictionary_of, read_index

_CHUNK_BYTES = 1 << 16  # unpacked at once: even what is made to fill the memory stays small


def end_of_blocks(entries: list[IndexEntry | None]) -> int:
    """Returns the byte after the last block that is named."""
    return max((entry.block[0] + entry.block[1] for entry in entries if entry is not None), default=0)


def end_of_rows(entries: Sequence[IndexEntry | None], shard: int) -> int:
    """Returns the row after the last one of a shard that is named."""
    return max((entry.end for entry in entries if entry is not None and entry.shard == shard), default=0)


def unnamed(folder: Path) -> str | None:
    """Says what is stored that the index does not name, or not in its place, and what to do about it.

    Returns:
        None where it names everything, but for what a writer that was killed leaves: the next one overwrites that.
    """
    path = folder / PACKED_NAME
    size = path.stat().st_size if path.exists() else 0  # before the index is read: somebody may be writing
    entries = read_index(folder)[0]
    end = end_of_blocks(entries)
    if (damage := _misplaced(folder, entries)) or size <= end:
        return damage
    is_lost = entries[-1] is None if entries else not (folder / INDEX_NAME).exists()
    if not is_lost and _is_one_block(path, end, size, dictionary_of(folder)):
        return None
    return (
        f"{folder / INDEX_NAME} does not name the last {size - end:,} bytes of {PACKED_NAME}: lines are lost; put it "
        f"back, or, as after a power cut, give these episodes up with `truncate -s {end} {path}`"
    )


def keep_first(folder: Path, count: int) -> None:
    """Drops all episodes of a dataset but the first `count`; nobody may be writing."""
    index, packed = folder / INDEX_NAME, folder / PACKED_NAME
    entries, num_bytes, _ = read_index(folder)
    if count < len(entries):
        lines = index.read_bytes()[:num_bytes].splitlines(keepends=True)
        write_atomic(index, b"".join(lines[:count]))
    if packed.exists():
        os.truncate(packed, end_of_blocks(entries[:count]))


def _misplaced(folder: Path, entries: list[IndexEntry | None]) -> str | None:
    """Says which line does not name the block behind that of the line before; one that is damaged names any number."""
    end: int | None = 0
    for number, entry in enumerate(entries, 1):
        if entry is not None and end is not None and entry.block[0] != end:
            missing = entry.block[0] - end
            problem = f"line {number} is not in its place"
            if missing > 0:
                problem = f"lines before line {number} are lost, which named {missing:,} bytes"
            return f"{folder / INDEX_NAME}: {problem}; put it back"
        end = None if entry is None else sum(entry.block[:2])
    return None


def _is_one_block(path: Path, start: int, end: int, dictionary: bytes) -> bool:
    """Tells whether there is one compressed block, or the beginning of one, between two bytes of a file."""
    stream = zlib.decompressobj(zdict=dictionary) if dictionary else zlib.decompressobj()
    with path.open("rb") as file:
        file.seek(start)
        try:
            while not stream.eof and (chunk := file.read(min(_CHUNK_BYTES, end - file.tell()))):
                stream.decompress(chunk)
        except zlib.error:
            return False
        return file.tell() == end and not stream.unused_data
