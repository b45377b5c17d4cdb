"""What episodes begin with, sorted by where it goes: into the engine's state, its model values, a task's memory."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine
from robossl.envs.host import namespace_of
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS
from robossl.envs.task import Memory

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


def sorted_start(layout: dict[str, Array], num_episodes: int) -> Start:
    """Sorts what `Task.layout` returned."""
    fields = tuple(name for name in layout if name in STATE_FIELDS)
    parts = [layout[name].reshape(num_episodes, -1) for name in fields]
    return Start(
        fields,
        np.concatenate(parts, axis=1) if parts else np.empty((num_episodes, 0)),
        {name: value for name, value in layout.items() if name in RANDOM_FIELDS},
        {name: value for name, value in layout.items() if name not in _OF_ENGINE},
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
