"""Reads a bag, of the bridge or of `ros2 bag record`; also one that was never closed, because its process was killed.

`rosbags` needs the index and the `metadata.yaml` that are written at the end. Without them the MCAP file itself is read
from its beginning (https://mcap.dev/spec), up to the last record that is whole.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rosbags.rosbag2 import Reader

from robossl.core import UserError

Message = tuple[str, int, bytes]
"""Topic, wall clock's time in ns, bytes."""
_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 0x03, 0x04, 0x05, 0x06


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """What a bag holds.

    Attributes:
        path: of its folder.
        messages: in the order of their time.
        types: {topic: ROS type}.
        lost: what of it could not be read; None where it was closed.
    """

    path: Path
    messages: list[Message]
    types: Mapping[str, str]
    lost: str | None = None


def read_bag(path: Path) -> Bag:
    """Reads a bag.

    Raises:
        UserError: if it cannot be read.
    """
    files = sorted(path.glob("*.mcap"))
    try:
        if len(files) == 1 and not (path / "metadata.yaml").exists():
            types: dict[str, str] = {}
            messages = sorted(_unclosed(files[0].read_bytes(), types), key=lambda message: message[1])
            lost = f"{path} was never closed: its last second or so is lost"
            return Bag(path=path, messages=messages, types=types, lost=lost)
        with Reader(path) as reader:
            found = [(connection.topic, t_ns, bytes(data)) for connection, t_ns, data in reader.messages()]
            return Bag(path=path, messages=found, types={part.topic: part.msgtype for part in reader.connections})
    except Exception as error:  # rosbags' own errors, and whatever a damaged file makes it raise
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from error


def _unclosed(data: bytes, types: dict[str, str]) -> Iterator[Message]:
    """Yields the messages of a file, and puts the type of every topic into `types`."""
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("no MCAP file")
    schemas: dict[int, str] = {}
    topics: dict[int, str] = {}
    for kind, record in _records(data[len(_MAGIC) :]):
        for inner, part in _records(_uncompressed(record)) if kind == _CHUNK else ((kind, record),):
            if inner == _SCHEMA:
                schemas[struct.unpack_from("<H", part)[0]] = _text(part, 2)
            elif inner == _CHANNEL:
                number, schema = struct.unpack_from("<HH", part)
                topics[number] = _text(part, 4)
                types[topics[number]] = schemas[schema]
            elif inner == _MESSAGE:
                number, _, t_ns, _ = struct.unpack_from("<HIQQ", part)
                yield topics[number], t_ns, part[22:]


def _text(record: bytes, at: int) -> str:
    (length,) = struct.unpack_from("<I", record, at)
    return record[at + 4 : at + 4 + length].decode()


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
