"""Judges decisions of the ring corridor: how far the cars came, and how near they are to what stands there.

Twice: in array operations for any namespace, and as one compiled loop, which numpy's arrays get instead of sixty
operations. tests/envs/test_ring_judge.py holds them together.
"""

from typing import Any, NamedTuple

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
"""Between these gaps the car touches something, whatever the engine; deeper it may be on the other side of a wall.

An engine whose slack is less is as sure of shallower contacts.
"""

_NOBODY = np.empty(0, np.int64)
_NUMBERS = (OUTER_M, INNER_M, CENTRE_M, LENGTH_M, CAR_RADIUS_M, _DEEP_M)


class Verdict(NamedTuple):
    """What a decision led to.

    Attributes:
        progress: [N] the way made along the ring, as a share in [-1, 1] of what full speed makes.
        collision: [N] 1 where there was a contact, else 0.
        collided: [N] whether there was one.
        success: [N] whether there was none in all decisions of an episode.
        unsure: [n] the worlds of which only the engine knows whether there is a contact now.
    """

    progress: Array
    collision: Array
    collided: Array
    success: Array
    unsure: Array


def judge(
    xp: Any,
    pose: Array,
    position: Array,
    quat: Array,
    shapes: Array,
    found: Array,
    memory: Memory,
    nominal_m: float,
    max_decisions: int,
    slack_m: float,
) -> Verdict:
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
        max_decisions: of an episode.
        slack_m: beyond this gap there is no contact, and deeper than that there is one.
    """
    shallow_m = max(_SHALLOW_M, -slack_m)
    direction, arc_m, distance_m = memory["direction"], memory["arc_m"], memory["distance_m"]
    decisions = memory["decisions"]
    if xp is np:
        progress, collision = np.empty(len(pose), np.float32), np.empty(len(pose), np.float32)
        collided, success, is_unsure = np.empty(len(pose), bool), np.empty(len(pose), bool), np.empty(len(pose), bool)
        num_unsure = _judge(
            (*_NUMBERS, shallow_m, nominal_m, max_decisions, slack_m),
            pose,
            position,
            quat,
            shapes if shapes.ndim == 3 else shapes[None],
            found,
            direction,
            arc_m,
            distance_m,
            decisions,
            progress,
            collision,
            collided,
            success,
            is_unsure,
        )
        return Verdict(progress, collision, collided, success, is_unsure.nonzero()[0] if num_unsure else _NOBODY)
    x, y = pose[:, 0], pose[:, 1]
    arc = arc_coordinate(xp, x, y)
    way_m = direction * wrapped(xp, arc - arc_m)
    arc_m[...] = arc
    distance_m += way_m
    decisions += 1
    obstacles = obstacle_table(xp, position, quat, shapes)
    distance = xp.min(obstacle_distance(xp, pose[:, 0:1], pose[:, 1:2], obstacles), axis=1)
    gap = xp.minimum(wall_distance(xp, x, y), distance) - CAR_RADIUS_M
    collided = xp.any(found > 0, axis=1) | ((gap > _DEEP_M) & (gap < shallow_m))
    return Verdict(
        progress=xp.clip(way_m / nominal_m, -1.0, 1.0),
        collision=xp.astype(collided, xp.float32),
        collided=collided,
        success=(decisions >= max_decisions) & ~collided,
        unsure=xp.nonzero(~collided & (gap < slack_m))[0],
    )


@compiled
def _judge(
    numbers: tuple[float, ...],
    pose: Array,
    position: Array,
    quat: Array,
    shapes: Array,
    found: Array,
    direction: Array,
    arc_m: Array,
    distance_m: Array,
    decisions: Array,
    share: Array,
    collision: Array,
    collided: Array,
    success: Array,
    is_unsure: Array,
) -> int:
    num_unsure = 0
    outer, inner, centre, length, radius, deep, shallow, nominal, enough, slack = numbers
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
            reach = radius + slack + shape[k, 0] + shape[k, 1] + shape[k, 2]
            if abs(dx) > reach or abs(dy) > reach:  # most are too far away to matter
                continue
            w, z = quat[i, k, 0], quat[i, k, 3]
            cos, sin = 1 - 2 * z * z, 2 * w * z
            over_x = abs(cos * dx + sin * dy) - shape[k, 0]
            over_y = abs(cos * dy - sin * dx) - shape[k, 1]
            nearest = min(nearest, _box_distance(over_x, over_y) - shape[k, 2])
        gap = nearest - radius
        touched = deep < gap < shallow
        for k in range(found.shape[1]):
            touched |= found[i, k] > 0
        collision[i], collided[i], success[i] = touched, touched, not touched and decisions[i] >= enough
        is_unsure[i] = not touched and gap < slack
        num_unsure += is_unsure[i]
    return num_unsure


@compiled
def _box_distance(over_x: float, over_y: float) -> float:
    x, y = max(over_x, 0.0), max(over_y, 0.0)
    return float(np.sqrt(x * x + y * y) + min(max(over_x, over_y), 0.0))
