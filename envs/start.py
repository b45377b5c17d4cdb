"""What episodes begin with, sorted by where it goes: into the engine's state, its model values, a task's memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine
from robossl.envs.host import namespace_of
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS
from robossl.envs.task import Memory


@dataclass(frozen=True, slots=True)
class Start:
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
    state = {name: value.reshape(num_episodes, -1) for name, value in layout.items() if name in STATE_FIELDS}
    return Start(
        tuple(state),
        np.concatenate([np.empty((num_episodes, 0)), *state.values()], axis=1),
        {name: value for name, value in layout.items() if name in RANDOM_FIELDS},
        {name: value for name, value in layout.items() if name not in STATE_FIELDS | RANDOM_FIELDS},
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
    return namespace_of(kept).asarray(np.ascontiguousarray(values), dtype=kept.dtype, device=kept.device)
