"""What episodes begin with, sorted by where it goes: into the engine's state, its model values, a task's memory."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, UnknownNameError, UserError
from robossl.envs.engine import Engine
from robossl.envs.host import namespace_of
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS, state_columns
from robossl.envs.task import Memory, Task

_OF_ENGINE = STATE_FIELDS | RANDOM_FIELDS


class Start(NamedTuple):
    """What n episodes begin with.

    Attributes:
        fields: state fields.
        state: [n, K] their values, side by side.
        model: {field: [n, ...]} model values.
        memory: {name: [n, ...]} of the task.
    """

    fields: tuple[str, ...]
    state: Array
    model: dict[str, Array]
    memory: dict[str, Array]


class Starts:
    """Draws what a task's episodes begin with, and refuses what would not fit where it goes.

    Args:
        task: whose `layout` it is.
        model: compiled.
        memory: of any number of worlds.

    Raises:
        UserError: if the task calls something in its memory as MuJoCo calls a field.
    """

    def __init__(self, task: Task, model: Any, memory: Memory) -> None:
        if taken := sorted(memory.keys() & _OF_ENGINE):
            raise UserError(f"the task's memory needs another name for {taken[0]!r}: it is a field of MuJoCo's")
        self._task, self._known = task, [*memory, *sorted(_OF_ENGINE)]
        self._width = {name: columns.stop - columns.start for name, columns in state_columns(model).items()}
        self._shape = {name: values.shape[1:] for name, values in memory.items()}

    def draw(self, draws: Draws) -> Start:
        """Returns what `draws` lead to.

        Raises:
            UnknownNameError: if the task names something that is no field, nor in its memory.
            UserError: if it is not as large as what it goes to.
        """
        layout, num = self._task.layout(draws), draws.num_episodes
        for name, values in layout.items():
            if name not in _OF_ENGINE and name not in self._shape:
                raise UnknownNameError("thing to begin with", name, self._known)
            if name in self._shape and values.shape != (num, *self._shape[name]):
                raise _unfit(name, values, (num, *self._shape[name]))
            if name in self._width and values.size != num * self._width[name]:
                raise _unfit(name, values, (num, self._width[name]))
        fields = tuple(name for name in layout if name in STATE_FIELDS)
        parts = [layout[name].reshape(num, -1) for name in fields]
        return Start(
            fields,
            np.concatenate(parts, axis=1) if parts else np.empty((num, 0)),
            {name: values for name, values in layout.items() if name in RANDOM_FIELDS},
            {name: values for name, values in layout.items() if name in self._shape},
        )


def begin(start: Start, engine: Engine, memory: Memory, ids: NDArray[np.int64]) -> None:
    """Has the worlds `ids` [n] begin; an `Engine.forward` must follow."""
    engine.reset(ids, start.fields, start.state)
    for field, values in start.model.items():
        engine.randomise(field, values, ids)
    for name, kept in memory.items():
        kept[ids] = _like(kept, start.memory[name]) if name in start.memory else 0


def _like(kept: Array, values: NDArray[np.generic]) -> Array:
    """Returns values as an array can take them that may be on another device."""
    if isinstance(kept, np.ndarray):
        return values
    own = np.array(values)  # a copy: torch takes no strides as those of records, one row's included
    return namespace_of(kept).asarray(own, dtype=kept.dtype, device=kept.device)


def _unfit(name: str, values: Array, wanted: Iterable[int]) -> UserError:
    return UserError(f"the task lays out {name!r} as {list(values.shape)}, and it takes {list(wanted)}")
