"""How near an episode has come to its goal: kept in a task's memory, told as its success and metrics."""

import numpy as np

from robossl.core import Array
from robossl.envs.task import Memory

METRICS = ("distance", "min_distance")


def new_progress(num_worlds: int) -> Memory:
    """Returns memory for N worlds."""
    return {"reached": np.zeros(num_worlds, bool), "min_distance_m": np.zeros(num_worlds, np.float32)}


def progress(memory: Memory, distance: Array) -> dict[str, Array]:
    """Returns the `METRICS`, given the distances [N], m, after a step."""
    return {"distance": distance, "min_distance": memory["min_distance_m"]}
