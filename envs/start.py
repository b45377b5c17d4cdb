"""What episodes begin with, sorted by where it goes: into the engine's state, its model values, a task's memory."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, UnknownNameError, UserError
from robossl.envs.compiled import compiled
from robossl.envs.engine import Engine
from robossl.envs.field_limits import FieldLimits
from robossl.envs.host import namespace_of, on_host
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS, model_default, state_columns
from robossl.envs.records import STATE, Names, Start, in_bytes, places, put_bytes
from robossl.envs.task import Memory, Task

_OF_ENGINE = STATE_FIELDS | RANDOM_FIELDS


class Starts:
    """Draws what a task's episodes begin with, and refuses what would not fit where it goes.

    Args:
        task: whose `layout` it is.
        model: compiled.
        memory: of any number of worlds.

    Raises:
        UserError: if the task calls something in its memory as MuJoCo calls a field, or as `STATE`.
    """

    def __init__(self, task: Task, model: Any, memory: Memory) -> None:
        if taken := sorted(memory.keys() & (_OF_ENGINE | {STATE})):
            raise UserError(f"the task's memory needs another name for {taken[0]!r}: it is a field of MuJoCo's")
        columns = state_columns(model)
        self._task, self._known = task, [*memory, *sorted(_OF_ENGINE)]
        self._width = {name: columns[name].stop - columns[name].start for name in STATE_FIELDS}
        self._model, self._memory = model, dict(memory)
        self._names, self._record, self._unnamed, self._whole = Names(), np.dtype([]), list[str](), list[str]()
        self._limits: dict[str, FieldLimits] = {}
        self._shapes: dict[str, tuple[int, ...]] | None = None  # of an episode's values, once it is known what there is

    def draw(self, draws: Draws) -> Start:
        """Returns what `draws` lead to.

        Raises:
            UnknownNameError: if the task names something that is no field, nor in its memory.
            UserError: if it is not as large as what it goes to, not finite, or the task named other things before.
        """
        layout, num = self._task.layout(draws), draws.num_episodes
        if not isinstance(layout, Mapping):
            raise UserError(f"the task's layout is a {type(layout).__name__}, expected a dict")
        shapes = self._plan(layout) if self._shapes is None else self._shapes
        if layout.keys() != shapes.keys():
            name = sorted(layout.keys() ^ shapes.keys())[0]
            raise UserError(f"the task lays out {name!r} for some episodes and not for others")
        records, end = np.empty(num, self._record), 0
        for name in self._unnamed:
            records[name] = 0
        for name, shape in shapes.items():
            values = layout[name]
            _require_array(name, values, are_numbers=name not in self._memory)
            is_flat = name not in self._memory and values.shape[:1] == (num,) and values.size == num * math.prod(shape)
            if values.shape != (num, *shape) and not is_flat:
                raise _unfit(name, values, (num, *shape))
            if name in self._width:
                first, end = end, end + shape[0]
                records[STATE][:, first:end] = values.reshape(num, -1)
            else:
                kept = records[name]
                with np.errstate(invalid="ignore"):
                    kept[...] = values.reshape(num, *shape)
                if name in self._whole and not np.array_equal(kept, values.reshape(num, *shape)):
                    raise UserError(f"the task lays out {name!r} with numbers that are no {kept.dtype}")
                if name in self._limits:
                    self._require_sense(name, kept)
        for part in (STATE, *self._names.model):
            if not _are_finite(records[part].reshape(num, -1)):
                fields = self._names.state if part == STATE else ()
                raise _astray(next((name for name in fields if not np.isfinite(layout[name]).all()), part))
        return Start(self._names, self._record, in_bytes(records))

    def _plan(self, layout: dict[str, Array]) -> dict[str, tuple[int, ...]]:
        """Notes what goes where; returns the shapes of an episode's values."""
        state = tuple(name for name in layout if name in self._width)
        model = tuple(name for name in layout if name in RANDOM_FIELDS)
        if unknown := [name for name in layout if name not in (*state, *model, *self._memory)]:
            raise UnknownNameError("thing to begin with", unknown[0], self._known)
        _require_declared({*model}, self._task.spec.random_fields)
        like = {STATE: np.empty(sum(self._width[name] for name in state))}
        like |= {name: model_default(self._model, name) for name in model}
        parts = [(name, value.dtype, value.shape) for name, value in like.items()]
        kept = {name: on_host(values[:1]) for name, values in self._memory.items()}
        parts += [(name, values.dtype, values.shape[1:]) for name, values in kept.items()]
        self._record = np.dtype(parts, align=True)
        self._names = Names(state, model, tuple(self._memory))
        self._unnamed = [name for name in self._memory if name not in layout]
        self._whole = [name for name, dtype, _ in parts if dtype.kind != "f"]  # a cast would make other numbers of some
        limits = {name: FieldLimits(self._model, name) for name in model}
        self._limits = {name: found for name, found in limits.items() if found}
        shapes = {name: shape for name, _, shape in parts} | {name: (self._width[name],) for name in state}
        self._shapes = {name: shapes[name] for name in layout}
        return self._shapes

    def _require_sense(self, name: str, values: Array) -> None:
        """Checks model values [n, ...]."""
        limits = self._limits[name]
        table = values.reshape(len(values), *limits.shape)
        if flaw := limits.flaw(table, table):
            raise UserError(f"the task lays out {name!r} with {flaw}")


class Beginning:
    """Has worlds begin: those of an engine, and what a task remembers of them.

    Args:
        engine: of N worlds.
        memory: {name: [N, ...]}, written in place.
    """

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine, self._memory = engine, memory
        self._arrays = [*map(id, memory.values())]
        self._rows = tuple(in_bytes(kept) for kept in memory.values()) if all(map(_is_plain, memory.values())) else ()
        self._places: tuple[Any, Array] = (None, np.empty(0, np.int64))

    def __call__(self, start: Start, ids: NDArray[np.int64]) -> None:
        """Has the worlds `ids` [n] begin; an `Engine.forward` must follow.

        Raises:
            UserError: if the memory holds other arrays than in the beginning.
        """
        if [*map(id, self._memory.values())] != self._arrays:
            raise UserError(
                "the task put other arrays into its memory: it is to write to those of `new_memory`, in place"
            )
        self._engine.begin(ids, start)
        if self._rows:
            if self._places[0] is not start.record:
                self._places = start.record, places(start.record, start.names.memory)
            put_bytes(start.data, ids, self._places[1], self._rows)
            return
        for name, kept in self._memory.items():
            own = np.array(start.of(name))  # a copy: torch takes no strides as those of records, one row's included
            kept[ids] = namespace_of(kept).asarray(own, dtype=kept.dtype, device=kept.device)


@compiled
def _are_finite(values: Array) -> bool:
    """Tells whether all values [n, K] are."""
    found = True
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            found &= np.isfinite(values[i, j])
    return found


def _require_array(name: str, values: object, *, are_numbers: bool) -> None:
    if not isinstance(values, np.ndarray):
        raise UserError(f"the task lays out {name!r} as a {type(values).__name__}, expected an array of numpy's")
    if are_numbers and values.dtype.kind not in "biuf":
        raise UserError(f"the task lays out {name!r} as {values.dtype}, expected numbers")


def _require_declared(laid_out: set[str], declared: Iterable[str]) -> None:
    """Checks that what is said to be laid out is: whoever randomises it begins from there."""
    if others := sorted(laid_out ^ {*declared}):
        verb = "lays out" if others[0] in laid_out else "does not lay out"
        raise UserError(f"the task {verb} {others[0]!r}, and its spec's random_fields say otherwise")


def _is_plain(kept: Array) -> bool:
    """Tells whether memory can be written to as bytes."""
    if not isinstance(kept, np.ndarray):
        return False
    return bool(kept.flags.c_contiguous and kept.flags.writeable)


def _astray(name: str) -> UserError:
    return UserError(f"the task lays out {name!r} with numbers that are not finite")


def _unfit(name: str, values: Array, wanted: Iterable[int]) -> UserError:
    return UserError(f"the task lays out {name!r} as {list(values.shape)}, and it takes {list(wanted)}")
