"""How far robots have come along the shortest paths to their goals, and how good their ways were.

SPL is after Anderson et al., "On Evaluation of Embodied Navigation Agents" (2018), soft SPL after Datta et al. (2020).
"""

from typing import Any

from robossl.core import Array
from robossl.envs.compiled import fused


@fused
def advance(
    xp: Any,
    grid: tuple[float, float, int],
    radius_m: float,
    nominal_m: float,
    field: Array,
    row: Array,
    pose: Array,
    goal: Array,
    position: Array,
    shortest: Array,
    left: Array,
    driven: Array,
) -> tuple[Array, Array, Array, Array]:
    """Brings up to date where robots are, what is left of their shortest paths, and how far they have driven.

    Args:
        xp: array namespace.
        grid: as in `between`.
        radius_m: of a goal.
        nominal_m: what full speed can do of a path in a step.
        field: as in `between`.
        row: as in `between`.
        pose: [N, 3].
        goal: [N, 2].
        position: [N, 2] before the step.
        shortest: [N] m, of the path from where they started.
        left: [N] m, before the step.
        driven: [N] m, before the step.

    Returns:
        [N] what was done of the shortest path, over `nominal_m` and in [-1, 1], whether the goal is reached, SPL and
        soft SPL.
    """
    x, y = pose[:, 0], pose[:, 1]
    moved_x, moved_y = x - position[:, 0], y - position[:, 1]
    driven[...] = driven + xp.sqrt(moved_x * moved_x + moved_y * moved_y)
    position[...] = pose[:, :2]
    left_now = between(xp, grid, field, row, x, y)
    progress = xp.empty_like(left)
    progress[...] = xp.clip((left - left_now) / nominal_m, -1.0, 1.0)
    left[...] = left_now
    dx, dy = goal[:, 0] - x, goal[:, 1] - y
    success = xp.sqrt(dx * dx + dy * dy) < radius_m
    return progress, success, spl(xp, success, shortest, driven), soft_spl(xp, left, shortest, driven)


@fused
def between(xp: Any, grid: tuple[float, float, int], field: Array, row: Array, x_m: Array, y_m: Array) -> Array:
    """Returns what fields of numbers tell at points [N] between their nodes, in straight lines.

    Args:
        xp: array namespace.
        grid: from the middle to the outermost nodes and from node to node (m), and how many are along a side, G.
        field: [N, G * G] nodes along x, then y; a sign is ignored.
        row: [N] counts the fields.
        x_m: [N].
        y_m: [N].
    """
    half_m, node_m, size = grid
    i, j = xp.clip((x_m + half_m) / node_m, 0.0, size - 1.001), xp.clip((y_m + half_m) / node_m, 0.0, size - 1.001)
    nowhere = xp.zeros_like(i)  # where a point is not finite: that is no index
    first_i, first_j = xp.where(i >= 0, xp.floor(i), nowhere), xp.where(j >= 0, xp.floor(j), nowhere)
    over_i, over_j = i - first_i, j - first_j
    node = xp.asarray(first_i * size + first_j, dtype=xp.int64) + row * field.shape[1]
    there = xp.reshape(field, (-1,))
    low, far = xp.abs(there[node]), xp.abs(there[node + size])
    low, far = low + over_j * (xp.abs(there[node + 1]) - low), far + over_j * (xp.abs(there[node + size + 1]) - far)
    result = xp.empty_like(field[:, 0])
    result[...] = low + over_i * (far - low)
    return result


@fused
def path_efficiency(xp: Any, shortest_m: Array, driven_m: Array) -> Array:
    """Returns the length of the shortest path over that of the one driven, [N] in (0, 1]."""
    return shortest_m / xp.maximum(driven_m, shortest_m)


@fused
def spl(xp: Any, success: Array, shortest_m: Array, driven_m: Array) -> Array:
    """Returns success weighted by path length, [N] in [0, 1].

    Args:
        xp: array namespace.
        success: [N] bool.
        shortest_m: [N] length of the shortest path from start to goal.
        driven_m: [N] of the one driven.
    """
    return xp.where(success, path_efficiency(xp, shortest_m, driven_m), xp.zeros_like(shortest_m))


@fused
def soft_spl(xp: Any, left_m: Array, shortest_m: Array, driven_m: Array) -> Array:
    """Returns SPL with the progress made in place of success, [N] in [0, 1].

    Args:
        xp: array namespace.
        left_m: [N] length of the shortest path that is left.
        shortest_m: as in `spl`.
        driven_m: as in `spl`.
    """
    progress = xp.clip((shortest_m - left_m) / shortest_m, 0.0, None)
    return progress * path_efficiency(xp, shortest_m, driven_m)
