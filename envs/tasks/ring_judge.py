"""Judges decisions of the ring corridor: how far the cars came, and how near they are to what stands there.

Twice: in array operations for any namespace, and as one compiled loop, which numpy's arrays get instead of sixty
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
    INNER_M,
    LENGTH_M,
    OUTER_M,
    arc_coordinate,
    obstacle_distance,
    obstacle_table,
    wall_distance,
    wrapped,
)

_DEEP_M, _SHALLOW_M = -0.2, -0.001
"""Between these gaps the car touches something, whatever the engine; deeper it may be on the other side of a wall."""

_NOBODY = np.empty(0, np.int64)
_NUMBERS = (OUTER_M, INNER_M, CENTRE_M, LENGTH_M, CAR_RADIUS_M, _DEEP_M, _SHALLOW_M)


def judge(
    xp: Any,
    pose: Array,
    position: Array,
    quat: Array,
    shapes: Array,
    found: Array,
    memory: Memory,
    nominal_m: float,
    slack_m: float,
) -> tuple[Array, Array, Array]:
    """Brings the memory of N cars up to date.

    Args:
        xp: array namespace.
        pose: [N, 3].
        position: [N, M, 3] of the obstacles.
        quat: [N, M, 4] of the obstacles, upright.
        shapes: [M, 3] or [N, M, 3] half_x, half_y and radius of the obstacles.
        found: [N, S] contacts as substeps began.
        memory: `RingCorridor.new_memory`.
        nominal_m: what full speed makes in one decision.
        slack_m: beyond this gap there is no contact.

    Returns:
        [N] the way made along the ring, as a share in [-1, 1] of `nominal_m`; [N] whether there was a contact; and the
        worlds [n] of which only the engine knows whether there is one now.
    """
    if xp is np:
        share = np.empty(len(pose), np.float32)
        touched, is_unsure = np.empty((2, len(pose)), bool)
        kept = [memory[name] for name in ("direction", "arc_m", "distance_m", "decisions")]
        shapes = shapes if shapes.ndim == 3 else shapes[None]
        numbers = (*_NUMBERS, nominal_m, slack_m)
        num_unsure = _judge(numbers, pose, position, quat, shapes, found, share, touched, is_unsure, *kept)
        return share, touched, is_unsure.nonzero()[0] if num_unsure else _NOBODY
    x, y = pose[:, 0], pose[:, 1]
    arc = arc_coordinate(xp, x, y)
    progress = memory["direction"] * wrapped(xp, arc - memory["arc_m"])
    memory["arc_m"][...] = arc
    memory["distance_m"] += progress
    memory["decisions"] += 1
    obstacles = obstacle_table(xp, position, quat, shapes)
    distance = xp.min(obstacle_distance(xp, pose[:, 0:1], pose[:, 1:2], obstacles), axis=1)
    gap = xp.minimum(wall_distance(xp, x, y), distance) - CAR_RADIUS_M
    touched = xp.any(found > 0, axis=1) | ((gap > _DEEP_M) & (gap < _SHALLOW_M))
    return xp.clip(progress / nominal_m, -1.0, 1.0), touched, xp.nonzero(~touched & (gap < slack_m))[0]


@compiled
def _judge(
    numbers: tuple[float, ...],
    pose: Array,
    position: Array,
    quat: Array,
    shapes: Array,
    found: Array,
    share: Array,
    touched: Array,
    is_unsure: Array,
    direction: Array,
    arc_m: Array,
    distance_m: Array,
    decisions: Array,
) -> int:
    num_unsure = 0
    outer, inner, centre, length, radius, deep, shallow, nominal, slack = numbers
    for i in range(len(pose)):
        x, y = pose[i, 0], pose[i, 1]
        far_x, far_y = abs(x), abs(y)
        size = max(far_x, far_y) + 1e-30
        u, v = x / size, y / size
        arc = (3 - 2 * u + u * v if far_x >= far_y else 5 - 2 * v - u * v) * centre
        arc = arc - length if arc >= length else arc
        change = arc - arc_m[i]
        progress = direction[i] * (change - length * np.floor(change / length + 0.5))
        share[i] = min(max(progress / nominal, -1.0), 1.0)
        arc_m[i] = arc
        distance_m[i] += progress
        decisions[i] += 1
        nearest = min(outer - max(far_x, far_y), _box_distance(far_x - inner, far_y - inner))
        shape = shapes[i % len(shapes)]
        for k in range(position.shape[1]):
            dx, dy = x - position[i, k, 0], y - position[i, k, 1]
            w, z = quat[i, k, 0], quat[i, k, 3]
            cos, sin = 1 - 2 * z * z, 2 * w * z
            over_x = abs(cos * dx + sin * dy) - shape[k, 0]
            over_y = abs(cos * dy - sin * dx) - shape[k, 1]
            nearest = min(nearest, _box_distance(over_x, over_y) - shape[k, 2])
        gap = nearest - radius
        touched[i] = deep < gap < shallow
        for k in range(found.shape[1]):
            touched[i] |= found[i, k] > 0
        is_unsure[i] = not touched[i] and gap < slack
        num_unsure += is_unsure[i]
    return num_unsure


@compiled
def _box_distance(over_x: float, over_y: float) -> float:
    x, y = max(over_x, 0.0), max(over_y, 0.0)
    return float(np.sqrt(x * x + y * y) + min(max(over_x, over_y), 0.0))
