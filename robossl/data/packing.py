r"""Small arrays of an episode as one compressed block: exactly the same bits, and what stands still costs nothing.

    zlib( {"columns": [[name, dtype, shape], ...]} \n  what `column_coding.encode` makes of the arrays )

Compression may begin with a dictionary, bytes that are expected to turn up. Blocks of format 2 are read, too:
{"arrays": ...} \n the arrays' bytes, one after the other, those of at least two axes column by column.
"""

import json
import math
import zlib
from typing import Any

import numpy as np

from robossl.core import Array
from robossl.data.column_coding import Entry, decode, encode

_LEVEL = 6  # of compression: 9 takes five times as long for half a percent (measured on RingCorridor)
_KINDS = "biuf"  # numbers only: nothing that is unpacked can be an object
MAX_BYTES = 1 << 30
"""Of a block when unpacked: a small file cannot be made to fill the memory."""


def pack(arrays: dict[str, Array], dictionary: bytes = b"") -> tuple[bytes, int]:
    """Returns the block, and how many bytes are compressed in it.

    Raises:
        ValueError: if the arrays have too many.
    """
    values = {name: np.asarray(array) for name, array in arrays.items()}
    num_bytes = sum(array.nbytes for array in values.values())
    content = header(values) + encode(list(values.values()))
    if max(num_bytes, len(content)) > MAX_BYTES:
        raise ValueError(f"an episode has {num_bytes:,} bytes beside its pictures, {MAX_BYTES:,} fit")
    press = zlib.compressobj(_LEVEL, zdict=dictionary) if dictionary else zlib.compressobj(_LEVEL)
    return press.compress(content) + press.flush(), len(content)


def header(arrays: dict[str, Array]) -> bytes:
    """Returns the line that a block begins with."""
    entries = [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()]
    return json.dumps({"columns": entries}, separators=(",", ":")).encode() + b"\n"


def unpack(block: bytes, num_bytes: int, dictionary: bytes = b"") -> dict[str, Array]:
    """Returns what `pack` got, as read-only arrays.

    Raises:
        ValueError: if the block is not one of `num_bytes` that `pack` made with that dictionary.
    """
    if not 1 <= num_bytes <= MAX_BYTES:
        raise ValueError(f"{num_bytes} bytes are no packed block's")
    stream = zlib.decompressobj(zdict=dictionary) if dictionary else zlib.decompressobj()
    try:
        content = stream.decompress(block, num_bytes)
        if len(content) != num_bytes or not (stream.eof or stream.decompress(stream.unconsumed_tail, 1) == b""):
            raise ValueError("another size than was written")
        line, _, rest = content.partition(b"\n")
        told = json.loads(line)
        is_plain = "arrays" in told
        entries = _entries(told["arrays" if is_plain else "columns"])
        arrays = _plain(rest, entries) if is_plain else decode(rest, entries)
    except (zlib.error, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a packed block: {error}") from error
    return {name: array for (name, _, _), array in zip(entries, arrays, strict=True)}


def _entries(told: Any) -> list[Entry]:
    """Checks what a block says of its arrays before there is memory for them."""
    entries = []
    for name, kind, shape in told:
        dtype = np.dtype(kind)
        if dtype.kind not in _KINDS or min(shape, default=0) < 0:
            raise ValueError(f"{kind}{shape} is no array of numbers")
        entries.append((str(name), dtype, tuple(shape)))
    num_bytes = sum(math.prod(shape) * dtype.itemsize for _, dtype, shape in entries)
    if num_bytes > MAX_BYTES:
        raise ValueError(f"{num_bytes} bytes of arrays are no packed block's")
    return entries


def _plain(content: bytes, entries: list[Entry]) -> list[Array]:
    """Reads the arrays of format 2."""
    arrays, start = [], 0
    for _, dtype, shape in entries:
        flat = np.frombuffer(content, dtype, math.prod(shape), start)
        start += flat.nbytes
        if len(shape) > 1:
            flat = np.ascontiguousarray(flat.reshape(-1, shape[0]).T) if shape[0] else flat
        arrays.append(flat.reshape(shape))
        arrays[-1].flags.writeable = False
    if start != len(content):
        raise ValueError("more bytes than arrays")
    return arrays
