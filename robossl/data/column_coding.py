r"""Arrays as columns, of which only those are written that neither stand still nor repeat another: the same bits.

    a kind per column | a source per repeated column | a value per column that stands | the columns that move

Most of a simulator's state stands for a whole episode, and observations and truth repeat much of it in float32. Of long
columns that move, first all first bytes are written, then all second ones, and so on: signs and exponents, which
compress, are kept apart from the last bits, which do not.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array

Entry = tuple[str, np.dtype, tuple[int, ...]]
"""Name, dtype and shape of an array."""

_MOVES, _STANDS, _REPEATS = 0, 1, 2
_SOURCE = np.dtype("<u2")
_MAX_NUMBER = np.iinfo(_SOURCE).max
_LONG = 16  # rows: with fewer, runs of bytes are too short to be worth it (measured on RingCorridor)
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def encode(arrays: list[Array]) -> bytes:
    """Returns the arrays' columns; `decode` needs their dtypes and shapes besides."""
    kinds, sources, values, moving = [], [], [], []
    known: dict[tuple[np.dtype, int, bytes], int] = {}
    number = 0
    for array in arrays:
        table = _table(array)
        count, rows = table.shape
        can_repeat = rows > 1 and number + count <= _MAX_NUMBER
        own = np.full(count, _MOVES, np.uint8)
        own[_stand(table)] = _STANDS
        shown = [column[:1] if kind == _STANDS else column for column, kind in zip(table, own, strict=True)]
        for index, column in enumerate(shown if can_repeat else ()):
            source = known.setdefault((table.dtype, rows, column.tobytes()), number + index)
            if source < number + index:
                own[index] = _REPEATS
                sources.append(source)
        if table.dtype == _DOUBLE and can_repeat:
            for index, column in enumerate(shown):
                known.setdefault((_SINGLE, rows, _single(column).tobytes()), number + index)
        number += count
        kinds.append(own.tobytes())
        values.append(table[own == _STANDS, 0].tobytes() if rows else b"")
        moving.append(_planes(table[own == _MOVES]))
    return b"".join([*kinds, np.array(sources, _SOURCE).tobytes(), *values, *moving])


def decode(content: bytes, entries: list[Entry]) -> list[Array]:
    """Returns the arrays that `encode` got.

    Raises:
        ValueError: if the content is not theirs.
    """
    reader = _Reader(content)
    counts = [_num_columns(shape) for _, _, shape in entries]
    kinds = reader.take(np.dtype(np.uint8), sum(counts))
    if kinds.max(initial=0) > _REPEATS:
        raise ValueError("a column of no known kind")
    sources = reader.take(_SOURCE, int((kinds == _REPEATS).sum())).tolist()
    starts = np.cumsum([0, *counts]).tolist()
    own = [kinds[start:end] for start, end in pairwise(starts)]
    tables = [np.empty((len(kind), _num_rows(entry[2])), entry[1]) for kind, entry in zip(own, entries, strict=True)]
    for table, kind in zip(tables, own, strict=True):
        table[kind == _STANDS] = reader.take(table.dtype, int((kind == _STANDS).sum()))[:, None]
    for table, kind in zip(tables, own, strict=True):
        table[kind == _MOVES] = reader.columns(table.dtype, int((kind == _MOVES).sum()), table.shape[1])
    reader.require_end()
    columns = [column for table in tables for column in table]
    for number, source in zip(np.flatnonzero(kinds == _REPEATS).tolist(), sources, strict=True):
        _repeat(columns, number, source)
    return [_laid_out(table, entry[2]) for table, entry in zip(tables, entries, strict=True)]


def _repeat(columns: list[Array], number: int, source: int) -> None:
    """Fills a column from an earlier one, whose single-precision values it may have."""
    if source >= number or len(columns[source]) != len(columns[number]):
        raise ValueError("a column that repeats none")
    kinds = columns[source].dtype, columns[number].dtype
    if kinds[0] != kinds[1] and kinds != (_DOUBLE, _SINGLE):
        raise ValueError("a column that repeats one of another kind")
    columns[number][...] = _single(columns[source]) if kinds[0] != kinds[1] else columns[source]


class _Reader:
    """Takes one piece after another."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, dtype: np.dtype, count: int) -> NDArray[np.generic]:
        values = np.frombuffer(self._content, dtype, count, self._at) if count else np.empty(0, dtype)
        self._at += values.nbytes
        return values

    def columns(self, dtype: np.dtype, count: int, rows: int) -> Array:
        """Takes columns [count, rows] that move."""
        if rows < _LONG:
            return self.take(dtype, count * rows).reshape(count, rows)
        planes = self.take(np.dtype(np.uint8), count * rows * dtype.itemsize).reshape(count, dtype.itemsize, rows)
        return np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype).reshape(count, rows)

    def require_end(self) -> None:
        if self._at != len(self._content):
            raise ValueError("more bytes than arrays")


def _num_rows(shape: tuple[int, ...]) -> int:
    """Returns how many rows the columns of an array have: a vector, and a number, is one column."""
    return math.prod(shape) if len(shape) < 2 else shape[0]


def _num_columns(shape: tuple[int, ...]) -> int:
    if not math.prod(shape):
        return 0
    return math.prod(shape) // _num_rows(shape)


def _table(array: Array) -> Array:
    """Returns the columns [count, rows]."""
    return np.ascontiguousarray(array.reshape(_num_rows(array.shape), -1).T) if array.size else array.reshape(0, 0)


def _laid_out(table: Array, shape: tuple[int, ...]) -> Array:
    values = np.ascontiguousarray(table.T).reshape(shape) if table.size else np.empty(shape, table.dtype)
    values.flags.writeable = False
    return values


def _stand(table: Array) -> NDArray[np.bool_]:
    """Tells of which columns [count] all rows have the same bits."""
    count, rows = table.shape
    if rows < 2:
        return np.zeros(count, bool)
    octets = table.view(np.uint8).reshape(count, rows, -1)
    return np.asarray((octets == octets[:, :1]).all(axis=(1, 2)))


def _single(values: Array) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(values, _SINGLE)


def _planes(table: Array) -> bytes:
    count, rows = table.shape
    if not table.size or rows < _LONG:
        return bytes(table.tobytes())
    return bytes(table.view(np.uint8).reshape(count, rows, -1).transpose(0, 2, 1).tobytes())
