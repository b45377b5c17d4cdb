"""How good a way to a goal was, after Anderson et al., "On Evaluation of Embodied Navigation Agents" (2018).

Elementwise functions over any array namespace `xp` of the Python array API.
"""

from typing import Any

from robossl.core import Array
from robossl.envs.compiled import fused


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
    """Returns SPL with the progress made in place of success, [N] in [0, 1] (Datta et al., 2020).

    Args:
        xp: array namespace.
        left_m: [N] length of the shortest path that is left.
        shortest_m: as in `spl`.
        driven_m: as in `spl`.
    """
    progress = xp.clip((shortest_m - left_m) / shortest_m, 0.0, None)
    return progress * path_efficiency(xp, shortest_m, driven_m)
