"""How far it is to a goal around everything that stands in the way: shortest paths on a grid, world by world.

A node has 16 neighbours: the eight around it and the eight a knight's move away, so that a path of any direction is
at most 2.8 % too long; what is in the way must be more than one node thick. Nodes are settled in buckets of distance,
narrower than any step, so that those of a bucket cannot lead to one another (Dial, Comm. ACM 1969).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled
from robossl.envs.row_threads import over_rows
from robossl.envs.tasks.path_progress import between

NODE_M = 0.1
_PAD = 2  # a knight's move
_AROUND = range(-_PAD, _PAD + 1)
_MOVES = np.array([(i, j) for i in _AROUND for j in _AROUND if i * i + j * j in (1, 2, 5)])
_LENGTHS = (NODE_M * np.hypot(*_MOVES.T)).astype(np.float32)
_BUCKETS_PER_M = 1 / (0.99 * NODE_M)
_BUCKETS = 0b111  # eight in turns: steps from nodes near the goal, which share the first, lead four on
_UNREACHABLE_M = np.float32(50.0)
_FEWEST = 8  # worlds, of 0.1 ms each, that are worth a thread
_NEAR_GOAL_M = 0.2  # nodes as near as this are joined to the goal by a straight line

Floats = NDArray[np.float32]


class Grid:
    """Square grid of nodes around the origin.

    Attributes:
        half_m: from the middle to the outermost nodes.
        size: nodes along a side, G.
        measures: the two and `NODE_M`, as `path_progress.between` takes them.
    """

    def __init__(self, half_m: float) -> None:
        self.half_m, self.size = half_m, round(2 * half_m / NODE_M) + 1
        self.measures = (half_m, NODE_M, self.size)
        self.axis_m = np.linspace(-half_m, half_m, self.size)

    def distance(self, is_free: NDArray[np.bool_], goal_m: NDArray[np.float64]) -> Floats:
        """Computes shortest paths.

        Args:
            is_free: [n, G, G] nodes along x, then y, where the robot fits.
            goal_m: [n, 2].

        Returns:
            [n, G, G] m; negative where the robot does not fit: less what it is from the nearest node where it does.
        """
        distance, goal = np.empty(is_free.shape, np.float32), (goal_m + self.half_m) / NODE_M
        over_rows(lambda part: _shortest_paths(is_free[part], goal[part], distance[part]), len(goal), fewest=_FEWEST)
        return distance

    def read(self, xp: Any, distance: Array, x_m: Array, y_m: Array) -> Array:
        """Returns the distance [N] at points [N], between nodes in straight lines.

        Args:
            xp: array namespace.
            distance: [N, G * G] what `distance` returned.
            x_m: [N].
            y_m: [N].
        """
        row = xp.arange(len(distance), device=distance.device)
        return between(xp, self.measures, distance, row, x_m, y_m)

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


@compiled
def _shortest_paths(is_free: NDArray[np.bool_], goal: NDArray[np.float64], out: Floats) -> None:
    """Fills `out` [n, G, G] for goals [n, 2] in nodes from the first."""
    size = is_free.shape[1]
    padded = np.empty((size + 2 * _PAD, size + 2 * _PAD), np.float32)
    for world in range(len(is_free)):
        padded[:] = -np.inf  # nothing is lower: not to be entered
        for i in range(size):
            for j in range(size):
                if is_free[world, i, j]:
                    square = (i - goal[world, 0]) ** 2 + (j - goal[world, 1]) ** 2
                    is_near = square <= (_NEAR_GOAL_M / NODE_M) ** 2
                    padded[i + _PAD, j + _PAD] = NODE_M * np.sqrt(square) if is_near else np.inf
        _spread(padded.ravel(), len(padded))
        _sign(padded, out[world])


@compiled
def _spread(distance: Floats, width: int) -> None:
    """Lowers the distances [W * W] to the lengths of the shortest paths from nodes where they are finite."""
    bucket = np.empty((_BUCKETS + 1, len(distance)), np.int32)  # of nodes; each holds a node once
    count = np.zeros(_BUCKETS + 1, np.int64)
    rank = np.full(len(distance), -1)  # of the last bucket each was put into, all counted on
    step = _MOVES[:, 0] * width + _MOVES[:, 1]
    for node in range(len(distance)):
        if np.isfinite(distance[node]):
            bucket[0, count[0]], rank[node] = node, 0
            count[0] += 1
    now = 0
    while count.any():
        for k in range(count[now & _BUCKETS]):
            node = bucket[now & _BUCKETS, k]
            if rank[node] != now:
                continue  # a shorter path was found since
            here = distance[node]
            for move in range(len(step)):
                other, length = node + step[move], here + _LENGTHS[move]
                if length < distance[other]:
                    distance[other], later = length, int(length * _BUCKETS_PER_M)
                    if rank[other] != later:
                        bucket[later & _BUCKETS, count[later & _BUCKETS]], rank[other] = other, later
                        count[later & _BUCKETS] += 1
        count[now & _BUCKETS] = 0
        now += 1


@compiled
def _sign(padded: Floats, out: Floats) -> None:
    """Fills `out` [G, G]; a node that no path leads to gets what those nearby have and the way to them, negative."""
    for i in range(len(out)):
        for j in range(len(out)):
            here = padded[i + _PAD, j + _PAD]
            if np.isfinite(here):
                out[i, j] = min(here, _UNREACHABLE_M)
                continue
            nearby = np.float32(np.inf)
            for reach in range(1, _PAD + 1):
                for di in range(-reach, reach + 1):
                    for dj in (reach - abs(di), abs(di) - reach):
                        there = padded[i + _PAD + di, j + _PAD + dj]
                        if np.isfinite(there):
                            nearby = min(nearby, there + np.float32(reach * NODE_M))
                if np.isfinite(nearby):
                    break
            out[i, j] = -min(nearby, _UNREACHABLE_M)
