"""Reads a bag of the bridge; also one that was never closed, because its process was killed.

`rosbags` needs the index and the `metadata.yaml` that are written at the end. Without them the MCAP file itself is read
from its beginning (https://mcap.dev/spec), up to the last record that is whole.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from rosbags.rosbag2 import Reader

from robossl.core import UserError

Message = tuple[str, int, bytes]
"""Topic, wall clock's time in ns, bytes."""
_MAGIC = b"\x89MCAP0\r\n"
_CHANNEL, _MESSAGE, _CHUNK = 0x04, 0x05, 0x06


def read_bag(bag: Path) -> tuple[list[Message], str | None]:
    """Returns a bag's messages in the order of their time, and what is lost of them; None where it was closed.

    Raises:
        UserError: if it cannot be read.
    """
    files = sorted(bag.glob("*.mcap"))
    try:
        if len(files) == 1 and not (bag / "metadata.yaml").exists():
            messages = sorted(_unclosed(files[0].read_bytes()), key=lambda message: message[1])
            return messages, f"{bag} was never closed: its last second or so is lost"
        with Reader(bag) as reader:
            return [(connection.topic, t_ns, bytes(data)) for connection, t_ns, data in reader.messages()], None
    except Exception as error:  # rosbags' own errors, and whatever a damaged file makes it raise
        raise UserError(f"{bag} cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from error


def _unclosed(data: bytes) -> Iterator[Message]:
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("no MCAP file")
    topics: dict[int, str] = {}
    for kind, record in _records(data[len(_MAGIC) :]):
        for inner, part in _records(_uncompressed(record)) if kind == _CHUNK else ((kind, record),):
            if inner == _CHANNEL:
                number, _, length = struct.unpack_from("<HHI", part)
                topics[number] = part[8 : 8 + length].decode()
            elif inner == _MESSAGE:
                number, _, t_ns, _ = struct.unpack_from("<HIQQ", part)
                yield topics[number], t_ns, part[22:]


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields kind and content of all records but a last one that is not whole."""
    at = 0
    while at + 9 <= len(data):
        kind, length = struct.unpack_from("<BQ", data, at)
        if at + 9 + length > len(data):
            return
        yield kind, data[at + 9 : at + 9 + length]
        at += 9 + length


def _uncompressed(chunk: bytes) -> bytes:
    (named,) = struct.unpack_from("<I", chunk, 28)
    if named:
        raise ValueError(f"a chunk that is compressed by {chunk[32 : 32 + named]!r}")
    (length,) = struct.unpack_from("<Q", chunk, 32)
    return chunk[40 : 40 + length]
