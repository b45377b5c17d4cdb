"""How far it is to a goal around everything that stands in the way: shortest paths on a grid, many worlds at once.

A node has 16 neighbours: the eight around it and the eight a knight's move away, so that a path of any direction is
at most 2.8 % too long; what is in the way must be more than one node thick. Sweeps in four directions settle all worlds
together until none changes any more (fast sweeping, Zhao, Math. Comp. 2005, with a graph's edges in place of the upwind
difference): what a sweep costs is shared by them, and it passes over lines next to which nothing has changed.
A node's distance is the least sum over all paths, added up from the goal, so it does not depend on the other worlds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.tasks.columns import columns

NODE_M = 0.1
_PAD = 2  # a knight's move
_STEPS = tuple(np.float32(NODE_M * length) for length in (1.0, 2.0**0.5, 5.0**0.5))
_UNREACHABLE_M = np.float32(50.0)
_NEAR_GOAL_M = 0.2  # nodes as near as this are joined to the goal by a straight line

Floats = NDArray[np.float32]


class Grid:
    """Square grid of nodes around the origin.

    Attributes:
        half_m: from the middle to the outermost nodes.
        size: nodes along a side, G.
    """

    def __init__(self, half_m: float) -> None:
        self.half_m, self.size = half_m, round(2 * half_m / NODE_M) + 1
        self.axis_m = np.linspace(-half_m, half_m, self.size)

    def distance(self, is_free: NDArray[np.bool_], goal_m: NDArray[np.float64]) -> Floats:
        """Computes shortest paths.

        Args:
            is_free: [n, G, G] nodes along x, then y, where the robot fits.
            goal_m: [n, 2].

        Returns:
            [n, G, G] m; negative where the robot does not fit: less what it is from the nearest node where it does.
        """
        free = np.ascontiguousarray(is_free.transpose(1, 2, 0))
        padded = np.full((self.size + 2 * _PAD, self.size + 2 * _PAD, len(goal_m)), np.inf, np.float32)
        distance = padded[_PAD:-_PAD, _PAD:-_PAD]
        wall = np.where(free, np.float32(0), np.float32(np.inf))
        distance[...] = self._from_goal(goal_m) + wall
        axes = ((padded, wall), (padded.transpose(1, 0, 2), wall.transpose(1, 0, 2)))
        is_begun = np.stack([np.isfinite(nodes).any(axis=(1, 2)) for nodes, _ in axes])
        is_news = np.stack([is_begun, is_begun])  # [way, axis, line] which lines each sweep has yet to lead on from
        while is_news.any():
            for way, line in enumerate((1, -1)):
                for axis, (nodes, walls) in enumerate(axes):
                    _sweep(nodes[::line], walls[::line], way, is_news[:, axis, ::line], is_news[:, 1 - axis])
        return np.ascontiguousarray(_signed(padded).transpose(2, 0, 1))

    def read(self, xp: Any, distance: Array, x_m: Array, y_m: Array) -> Array:
        """Returns the distance [N] at points [N], between nodes in straight lines.

        Args:
            xp: array namespace.
            distance: [N, G * G] what `distance` returned.
            x_m: [N].
            y_m: [N].
        """
        place = self._nodes(xp, columns(xp, x_m, y_m))
        node = xp.floor(place)
        beyond = place - node
        first = xp.astype(node[:, 0] * self.size + node[:, 1], xp.int64)
        corners = first[:, None] + xp.asarray((0, 1, self.size, self.size + 1), device=first.device)
        share = columns(xp, 1 - beyond, beyond)
        weights = xp.reshape(share[:, 0, :, None] * share[:, 1, None, :], (-1, 4))
        there = distance[xp.arange(len(first), device=first.device)[:, None], corners]
        return xp.sum(weights * xp.abs(there), axis=1)

    def lead(self, xp: Any, distance: Array, x_m: Array, y_m: Array, *, reach_m: float) -> tuple[Array, Array]:
        """Returns the nodes x, y [N] within reach through which the shortest paths from points [N] lead.

        Args:
            xp: array namespace.
            distance: [N, G * G] what `distance` returned.
            x_m: [N].
            y_m: [N].
            reach_m: how far from the points, a knight's move at least; of nodes that tell the same, a farther one
                counts.
        """
        around = np.arange(-int(reach_m / NODE_M), int(reach_m / NODE_M) + 2, dtype=np.float32)
        steps = (part.ravel() for part in np.meshgrid(around, around, indexing="ij"))
        di, dj = (xp.asarray(part, device=x_m.device)[None] for part in steps)
        i = xp.clip(xp.floor(self._nodes(xp, x_m))[:, None] + di, 0, self.size - 1)
        j = xp.clip(xp.floor(self._nodes(xp, y_m))[:, None] + dj, 0, self.size - 1)
        x, y = i * NODE_M - self.half_m, j * NODE_M - self.half_m
        away = xp.sqrt((x - x_m[:, None]) ** 2 + (y - y_m[:, None]) ** 2)
        there = xp.take_along_axis(distance, xp.astype(i * self.size + j, xp.int64), axis=1)
        through = xp.abs(there) + 0.999 * away + xp.where((there < 0) | (away > reach_m), 1e3, 0.0)
        best = xp.argmin(through, axis=1, keepdims=True)
        return xp.take_along_axis(x, best, axis=1)[:, 0], xp.take_along_axis(y, best, axis=1)[:, 0]

    def _nodes(self, xp: Any, position_m: Array) -> Array:
        """Returns positions in nodes from the first, a little before the last one at most."""
        return xp.clip((position_m + self.half_m) / NODE_M, 0.0, self.size - 1.001)

    def _from_goal(self, goal_m: NDArray[np.float64]) -> Floats:
        """Returns [G, G, n]: straight distances of the nodes around the goals, infinite elsewhere."""
        dx, dy = self.axis_m[:, None] - goal_m[:, 0], self.axis_m[:, None] - goal_m[:, 1]
        straight = np.sqrt((dx * dx)[:, None] + (dy * dy)[None])
        return np.where(straight <= _NEAR_GOAL_M, straight, np.inf).astype(np.float32)


def _sweep(padded: Floats, wall: Floats, way: int, is_news: NDArray[np.bool_], across: NDArray[np.bool_]) -> None:
    """Lowers distances [G + 4, G + 4, n] line by line by what the two lines before lead to, in place.

    Args:
        padded: the distances.
        wall: [G, G, n] infinite where the robot does not fit.
        way: in which this sweep goes, 0 or 1.
        is_news: [2, G + 4] lines that have changed since the last sweep that way; brought up to date.
        across: [2, G + 4] the same of the lines across these.
    """
    straight, diagonal, knight = _STEPS
    best, other = np.empty_like(padded[0, 2:-2]), np.empty_like(padded[0, 2:-2])
    for index in range(_PAD, len(padded) - _PAD):
        if not (is_news[way, index - 1] or is_news[way, index - 2]):
            continue
        last, second = padded[index - 1], padded[index - 2]
        np.minimum(last[:-4], last[4:], out=best)
        np.minimum(best, second[1:-3], out=best)
        np.minimum(best, second[3:-1], out=best)
        best += knight
        np.minimum(last[1:-3], last[3:-1], out=other)
        other += diagonal
        np.minimum(best, other, out=best)
        np.add(last[2:-2], straight, out=other)
        np.minimum(best, other, out=best)
        best += wall[index - _PAD]
        line = padded[index, 2:-2]
        is_lower = (best < line).any(axis=1)
        if is_lower.any():
            np.minimum(line, best, out=line)
            is_news[:, index] = True
            across[:, _PAD:-_PAD] |= is_lower
    is_news[way] = False


def _signed(padded: Floats) -> Floats:
    """Gives nodes [G + 4, G + 4, n] where the robot does not fit the distance of those nearby, with a minus."""
    distance = padded.copy()
    for _ in range(2):
        inner = distance[1:-1, 1:-1]
        near = np.minimum(np.minimum(distance[:-2, 1:-1], distance[2:, 1:-1]), distance[1:-1, :-2])
        near = np.minimum(near, distance[1:-1, 2:]) + _STEPS[0]
        distance[1:-1, 1:-1] = np.where(np.isinf(inner), near, inner)
    inside = (slice(_PAD, -_PAD), slice(_PAD, -_PAD))
    distance = np.minimum(distance[inside], _UNREACHABLE_M)
    return np.where(np.isinf(padded[inside]), -distance, distance)
