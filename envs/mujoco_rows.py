"""Compiled loops over the rows of N worlds, of their states and model values, for `MujocoEngine`."""

import numpy as np

from robossl.core import Array
from robossl.envs.compiled import compiled


@compiled
def give(rows: Array, ids: Array, values: Array, version: Array) -> bool:
    """Puts values [n, K] into rows [N, K], whose versions [N] rise; does not if any is not finite."""
    is_finite = True
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            is_finite &= np.isfinite(values[i, j])
    for i in range(len(ids) if is_finite else 0):
        version[ids[i]] += 1
        for j in range(rows.shape[1]):
            rows[ids[i], j] = values[i, j]
    return is_finite


@compiled
def flag(
    state: Array,
    num_moving: int,
    is_written: Array,
    qvel: Array,
    max_speed: float,
    warned: Array,
    warning: Array,
    diverged: Array,
) -> None:
    """Flags worlds [N] with states [N, S] that are not finite, too fast, or warned about once more: [N, W, 2].

    Only the first columns move; the others are looked at in worlds where they were written, and not since.
    """
    for world in range(len(diverged)):
        is_well = True
        for column in range(state.shape[1] if is_written[world] else num_moving):
            is_well &= np.isfinite(state[world, column])
        for joint in range(qvel.shape[1]):
            is_well &= abs(qvel[world, joint]) < max_speed
        for kind in range(warning.shape[1]):
            is_well &= warning[world, kind, 1] == warned[world, kind, 1]
        diverged[world] |= not is_well
        is_written[world] = False


@compiled
def flag_fast(qvel: Array, max_speed: float, is_written: Array, diverged: Array) -> None:
    """Flags worlds [N] that were written to and begin a step too fast: friction may slow them down within it."""
    for world in range(len(diverged)):
        for joint in range(qvel.shape[1] if is_written[world] else 0):
            diverged[world] |= not abs(qvel[world, joint]) < max_speed
