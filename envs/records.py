"""Records of what episodes begin with, one for each, which are copied as bytes to where they go.

Numpy takes as long to write one array at a few rows as compiled code takes for all of them.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled
from robossl.envs.mujoco_fields import SHAPE_FIELDS, columns_of, feeds_constants

STATE = "/state"
"""What the state is called in records: no task can use the name."""


class Names(NamedTuple):
    """What records hold: state fields, side by side as `STATE`, model fields, and what a task remembers."""

    state: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()


class Start(NamedTuple):
    """What n episodes begin with, a record of each.

    Attributes:
        names: of what there is.
        record: how a record is laid out: the state fields side by side as `STATE`, the others by their names, all that
            a task remembers among them.
        data: [n, B] the records as bytes, which numpy views as anything else in half the time.
    """

    names: Names
    record: np.dtype[np.void]
    data: NDArray[np.uint8]

    def of(self, name: str) -> Array:
        """Returns the values [n, ...] of what is named."""
        assert self.record.fields is not None
        kind, first = self.record.fields[name][:2]
        values = self.data[:, first : first + kind.itemsize]
        return values.view(kind.base).reshape(len(values), *kind.shape)


class Plan(NamedTuple):
    """Where what records hold goes.

    Attributes:
        record: which records.
        state: bytes of a record at which the values of the state are.
        columns: [K] of the state.
        first: [M] bytes of a record at which model values are that are only to be copied.
        rows: M model fields [N, size], in bytes.
        others: model fields that fields follow from which MuJoCo does not derive.
        has_constants: whether constants follow from what is copied.
    """

    record: Any = None
    state: slice = slice(0)
    columns: Any = None
    first: Any = None
    rows: tuple[Array, ...] = ()
    others: tuple[str, ...] = ()
    has_constants: bool = False


def in_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns C-contiguous rows [n, ...] as what they are made of, [n, B], without a copy."""
    return rows.view(np.uint8).reshape(len(rows), rows.nbytes // len(rows))


def places(record: np.dtype[np.void], names: Iterable[str]) -> NDArray[np.int64]:
    """Returns at which bytes [M] of a record what is named begins."""
    assert record.fields is not None
    return np.array([record.fields[name][1] for name in names], np.int64)


def planned(model: Any, names: Names, record: np.dtype[np.void], expanded: Callable[[str], Array]) -> Plan:
    """Returns where records go in an engine, of whose model fields `expanded` returns the values [N, ...]."""
    others = tuple(field for field in names.model if field in SHAPE_FIELDS or field == "body_mass")
    plain = [field for field in names.model if field not in others]
    rows, has_constants = [expanded(field) for field in plain], any(map(feeds_constants, plain))
    assert all(own.dtype == record[field].base for field, own in zip(plain, rows, strict=True))
    (first,), in_record = places(record, [STATE]), places(record, plain)
    state = slice(first, first + record[STATE].itemsize)
    columns = columns_of(model, names.state)
    return Plan(record, state, columns, in_record, tuple(map(in_bytes, rows)), others, has_constants)


@compiled
def put_bytes(records: Array, ids: Array, first: Array, rows: tuple[Array, ...]) -> None:
    """Copies bytes of records [n, B], from `first` [M] on, to the rows `ids` of M arrays [N, size]."""
    for part in range(len(rows)):
        place, size = first[part], rows[part].shape[1]
        for i in range(len(ids)):
            row, values = rows[part][ids[i]], records[i, place : place + size]
            for k in range(size):  # of whole arrays the compiler would not know that bytes lie side by side
                row[k] = values[k]


@compiled
def put_back(state: Array, default: Array, ids: Array, columns: Array, values: Array) -> None:
    """Puts worlds [n] of states [N, S] back to the default [S], but for the columns [K] that have values [n, K]."""
    for i in range(len(ids)):
        for column in range(len(default)):
            state[ids[i], column] = default[column]
        for k in range(len(columns)):
            state[ids[i], columns[k]] = values[i, k]


@compiled
def put_back_with(
    state: Array,
    default: Array,
    ids: Array,
    columns: Array,
    values: Array,
    records: Array,
    first: Array,
    rows: tuple[Array, ...],
    version: Array,
) -> None:
    """Does what `put_back` and `put_bytes` do, and raises the versions [N] of these worlds."""
    put_back(state, default, ids, columns, values)
    put_bytes(records, ids, first, rows)
    for i in range(len(ids)):
        version[ids[i]] += 1
