"""Judges decisions of the ring corridor: how far the cars came, and what they touched or may touch.

Twice: in array operations for any namespace, and as one compiled loop, which numpy's arrays get instead of thirty
operations. tests/envs/test_ring_judge.py holds them together.
"""

from typing import Any

import numpy as np

from robossl.core import Array
from robossl.envs.compiled import compiled
from robossl.envs.task import Memory
from robossl.envs.tasks.ring_geometry import (
    CAR_RADIUS_M,
    CENTRE_M,
    LENGTH_M,
    OUTER_M,
    arc_coordinate,
    outward_offset,
    wrapped,
)

NEAR_M = 0.03
"""Farther apart, nothing touches, however coarsely an engine computes contacts."""

_FREE_M = OUTER_M - CENTRE_M - CAR_RADIUS_M - NEAR_M  # from the centre line
_RING = (CENTRE_M, LENGTH_M, _FREE_M)


def judge(
    xp: Any, pose: Array, position: Array, reach2: Array, found: Array, memory: Memory
) -> tuple[Array, Array, Array]:
    """Brings the memory of N cars up to date.

    Args:
        xp: array namespace.
        pose: [N, 3].
        position: [N, M, 3] of the obstacles.
        reach2: [M] or [N, M] squares of the distances at which an obstacle may be touched.
        found: [N, S] contacts as substeps began.
        memory: `RingCorridor.new_memory`.

    Returns:
        [N] the way made along the ring (m), whether there was a contact, and whether there may be one now.
    """
    if xp is np:
        progress = np.empty(len(pose), np.float32)
        was_touched, is_near = np.empty((2, len(pose)), bool)
        kept = (memory[name] for name in ("direction", "arc_m", "distance_m", "decisions"))
        _judge(_RING, pose, position, np.atleast_2d(reach2), found, *kept, progress, was_touched, is_near)
        return progress, was_touched, is_near
    x, y = pose[:, 0], pose[:, 1]
    arc = arc_coordinate(xp, x, y)
    progress = memory["direction"] * wrapped(xp, arc - memory["arc_m"])
    memory["arc_m"][...] = arc
    memory["distance_m"] += progress
    memory["decisions"] += 1
    dx, dy = position[..., 0] - x[:, None], position[..., 1] - y[:, None]
    is_near = xp.any(dx * dx + dy * dy < xp.asarray(reach2, device=pose.device), axis=1)
    is_near = is_near | (xp.abs(outward_offset(xp, x, y)) > _FREE_M)
    return progress, xp.any(found > 0, axis=1), is_near


@compiled
def _judge(
    ring: tuple[float, float, float],
    pose: Array,
    position: Array,
    reach2: Array,
    found: Array,
    direction: Array,
    arc_m: Array,
    distance_m: Array,
    decisions: Array,
    progress: Array,
    was_touched: Array,
    is_near: Array,
) -> None:
    centre, length, free = ring
    for i in range(len(pose)):
        x, y = pose[i, 0], pose[i, 1]
        far_x, far_y = abs(x), abs(y)
        size = max(far_x, far_y) + 1e-30
        u, v = x / size, y / size
        arc = (3 - 2 * u + u * v if far_x >= far_y else 5 - 2 * v - u * v) * centre
        arc = arc - length if arc >= length else arc
        change = arc - arc_m[i]
        progress[i] = direction[i] * (change - length * np.floor(change / length + 0.5))
        arc_m[i] = arc
        distance_m[i] += progress[i]
        decisions[i] += 1
        near = abs(max(far_x, far_y) - centre) > free
        for k in range(position.shape[1]):
            dx, dy = position[i, k, 0] - x, position[i, k, 1] - y
            near |= dx * dx + dy * dy < reach2[i % len(reach2), k]
        touched = False
        for k in range(found.shape[1]):
            touched |= found[i, k] > 0
        is_near[i], was_touched[i] = near, touched
