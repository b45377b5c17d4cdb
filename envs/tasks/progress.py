"""How near an episode has come to its goal: kept in a task's memory, told as its success and metrics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.task import Memory

METRICS = ("distance", "min_distance")


def new_progress(num_worlds: int) -> Memory:
    """Returns memory for N worlds."""
    return {"reached": np.zeros(num_worlds, bool), "min_distance_m": np.zeros(num_worlds, np.float32)}


def begin_progress(memory: Memory, ids: NDArray[np.int64], distance: Array) -> None:
    """Notes the distances to the goal [n], m, with which the worlds `ids` begin."""
    memory["reached"][ids] = False
    memory["min_distance_m"][ids] = distance


def advance_progress(xp: Any, memory: Memory, distance: Array, is_there: Array) -> dict[str, Array]:
    """Notes the distances [N], m, after a step, and which worlds are at the goal; returns the `METRICS`."""
    memory["reached"] |= is_there
    memory["min_distance_m"][...] = xp.minimum(memory["min_distance_m"], distance)
    return {"distance": distance, "min_distance": memory["min_distance_m"]}
