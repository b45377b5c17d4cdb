"""How near an episode has come to its goal: kept in a task's memory, told as its success and metrics."""

import numpy as np

from robossl.core import Array
from robossl.envs.task import Memory


def distances(of: str) -> dict[str, str]:
    """Returns what the metrics are that `progress` tells, where the distance is `of` something."""
    return {"distance": f"{of}, m", "min_distance": "the least distance so far, m"}


def new_progress(num_worlds: int) -> Memory:
    """Returns memory for N worlds."""
    return {"reached": np.zeros(num_worlds, bool), "min_distance_m": np.zeros(num_worlds, np.float32)}


def progress(memory: Memory, distance: Array) -> dict[str, Array]:
    """Returns the metrics, given the distances [N], m, after a step."""
    return {"distance": distance, "min_distance": memory["min_distance_m"]}
