r"""Small arrays of an episode as one compressed block: exactly the same bits, and what stands still costs nothing.

    zlib( {"arrays": [[name, dtype, shape], ...]} \n  the arrays' bytes, one after the other )

Arrays of at least two axes are stored column by column, so that a column that never changes (most of a simulator's
state does not) is one long run of the same bytes.
"""

import json
import math
import zlib

import numpy as np

from robossl.core import Array

_LEVEL = 6  # of compression: 9 takes five times as long for half a percent (measured on RingCorridor)
_KINDS = "biuf"  # numbers only: nothing that is unpacked can be an object
MAX_BYTES = 1 << 30
"""Of a block when unpacked: a small file cannot be made to fill the memory."""


def pack(arrays: dict[str, Array]) -> tuple[bytes, int]:
    """Returns the block, and how many bytes it holds when unpacked.

    Raises:
        ValueError: if these are too many.
    """
    entries, parts = [], []
    for name, array in arrays.items():
        values = np.asarray(array)
        entries.append([name, str(values.dtype), list(values.shape)])
        parts.append(
            np.ascontiguousarray(
                values.reshape(len(values), -1).T if values.size and values.ndim > 1 else values
            ).tobytes()
        )
    content = b"".join([json.dumps({"arrays": entries}).encode() + b"\n", *parts])
    if len(content) > MAX_BYTES:
        raise ValueError(f"an episode has {len(content):,} bytes beside its pictures, {MAX_BYTES:,} fit")
    return zlib.compress(content, _LEVEL), len(content)


def unpack(block: bytes, num_bytes: int) -> dict[str, Array]:
    """Returns what `pack` got, as read-only arrays.

    Raises:
        ValueError: if the block is not one of `num_bytes` that `pack` made.
    """
    if not 1 <= num_bytes <= MAX_BYTES:
        raise ValueError(f"{num_bytes} bytes are no packed block's")
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(block, num_bytes)
        if len(content) != num_bytes or not (stream.eof or stream.decompress(stream.unconsumed_tail, 1) == b""):
            raise ValueError("another size than was written")
        line, _, rest = content.partition(b"\n")
        entries = json.loads(line)["arrays"]
        arrays, start = {}, 0
        for name, kind, shape in entries:
            dtype = np.dtype(kind)
            if dtype.kind not in _KINDS or min(shape, default=0) < 0:
                raise ValueError(f"{kind}{shape} is no array of numbers")
            count = math.prod(shape)
            flat = np.frombuffer(rest, dtype, count, start)
            start += flat.nbytes
            arrays[str(name)] = _laid_out(flat, tuple(shape))
    except (zlib.error, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a packed block: {error}") from error
    if start != len(rest):
        raise ValueError("more bytes than arrays")
    return arrays


def _laid_out(flat: Array, shape: tuple[int, ...]) -> Array:
    if len(shape) > 1:
        flat = np.ascontiguousarray(flat.reshape(-1, shape[0]).T) if shape[0] else flat
    values = flat.reshape(shape)
    values.flags.writeable = False
    return values
