"""Where shapes are as seen from somewhere: among which rays at most, and these rays in each shape's own frame."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.casting.fan import Fan
from robossl.envs.casting.shapes import Shapes
from robossl.envs.compiled import compiled, inlined

_PLANE, _SPHERE, _CAPSULE, _CYLINDER = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value) for name in ("PLANE", "SPHERE", "CAPSULE", "CYLINDER")
)
_NEAREST_M = 1e-6  # of what is nearer to a camera the edges may be missed
_MARGIN = 1e-6  # of a pixel

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]


def outlines(
    shapes: Shapes, fan: Fan, ids: NDArray[np.int64], frames: tuple[Floats, Floats], hidden_body: int
) -> tuple[Floats, NDArray[np.uint64]]:
    """Looks for all shapes from frames in n worlds.

    Args:
        shapes: of all worlds.
        fan: of rays in the frames.
        ids: [n] the worlds.
        frames: [n, 3] where the rays start, [n, 3, 3] whose columns are the axes; those of pictures are orthogonal, the
            first two equally long, the third of length 1.
        hidden_body: whose geoms are not there.

    Returns:
        [n, G, 4, 3] the frames' axes and starting points in those of the shapes. [n, G, 4] first and end of the columns
        and of the rows of rays that may hit a shape: none for what is not drawn.
    """
    shape = (len(ids), len(shapes.kind), 4)
    rays, windows = (
        np.empty((*shape, 3)),
        np.empty(shape, np.uint64),
    )  # as indices in machine code they need not be checked for a sign
    _outline(shapes, ids, frames, hidden_body, fan, (rays, windows))
    return rays, windows


@compiled
def _outline(shapes: Any, ids: NDArray[np.int64], frames: Any, hidden_body: int, fan: Any, found: Any) -> None:
    kinds, bodies, geom_pos, geom_mat, sizes, is_drawn = shapes
    starts, axes = frames
    u, v, w, x, _ = fan
    height, width = u.shape
    rays, windows = found
    for i in range(len(ids)):
        world = ids[i]
        for g in range(len(kinds)):
            columns, rows = (0, 0), (0, 0)
            if is_drawn[world, g] and (hidden_body < 0 or bodies[g] != hidden_body):
                mat, centre = geom_mat[world, g], geom_pos[world, g]
                a, b, c = _column(mat, axes[i], 0), _column(mat, axes[i], 1), _column(mat, axes[i], 2)
                o = _turned(mat, (starts[i, 0] - centre[0], starts[i, 1] - centre[1], starts[i, 2] - centre[2]))
                for k in range(3):
                    rays[i, g, 0, k], rays[i, g, 1, k], rays[i, g, 2, k], rays[i, g, 3, k] = a[k], b[k], c[k], o[k]
                columns, rows = (0, width), (0, height)
                half = _half_sizes(kinds[g], (sizes[world, g, 0], sizes[world, g, 1], sizes[world, g, 2]))
                if kinds[g] != _PLANE and len(x) > 0:
                    widest = 1 + np.sqrt(_dot(a, a)) * (1 + width / height)  # a ray is no longer than this
                    low_u, high_u, low_v, high_v = _seen(o, (a, b, c), half, _NEAREST_M / widest)
                    columns = _pixels(low_u * height, high_u * height, width)
                    rows = _pixels(-high_v * height, -low_v * height, height)
                elif kinds[g] != _PLANE and height == 1:
                    columns = _beams((u[0], v[0], w[0]), (-_dot(o, a), -_dot(o, b), -_dot(o, c)), _dot(half, half))
            windows[i, g, 0], windows[i, g, 1] = columns
            windows[i, g, 2], windows[i, g, 3] = rows


@inlined
def _turned(to: Floats, vector: Vector) -> Vector:
    """Returns a vector in the frame whose axes are the columns of a matrix, [9]."""
    x, y, z = vector
    return (
        to[0] * x + to[3] * y + to[6] * z,
        to[1] * x + to[4] * y + to[7] * z,
        to[2] * x + to[5] * y + to[8] * z,
    )


@inlined
def _column(to: Floats, mat: Floats, column: int) -> Vector:
    return _turned(to, (mat[0, column], mat[1, column], mat[2, column]))


@compiled
def _half_sizes(kind: int, size: Vector) -> Vector:
    """Returns half the sizes of the box around a shape."""
    if kind == _SPHERE:
        return size[0], size[0], size[0]
    if kind == _CAPSULE:
        return size[0], size[0], size[0] + size[1]
    if kind == _CYLINDER:
        return size[0], size[0], size[1]
    return size


@compiled
def _seen(
    o: Vector, axes: tuple[Vector, Vector, Vector], half: Vector, nearest_m: float
) -> tuple[float, float, float, float]:
    """Returns least and greatest u and v of `Fan` under which a box is seen: low above high for none.

    The picture's frame is at `o` in the box's frame, with these axes there. What is not `nearest_m` ahead is cut off.
    """
    right, up, ahead = axes
    square = _dot(right, right)
    low_u, high_u, low_v, high_v = np.inf, -np.inf, np.inf, -np.inf
    for corner in range(8):
        p = (
            (half[0] if corner & 1 else -half[0]) - o[0],
            (half[1] if corner & 2 else -half[1]) - o[1],
            (half[2] if corner & 4 else -half[2]) - o[2],
        )
        here, u, v = _dot(p, ahead), _dot(p, right) / square, _dot(p, up) / square
        if here >= nearest_m:
            low_u, high_u = min(low_u, u / here), max(high_u, u / here)
            low_v, high_v = min(low_v, v / here), max(high_v, v / here)
        for axis in range(3):
            along = 2 * half[axis]  # the edge from here to a corner on the axis' other side
            there = here + along * ahead[axis]
            if not corner & (1 << axis) and (here >= nearest_m) != (there >= nearest_m):
                share = along * (here - nearest_m) / (here - there)
                cut_u = (u + share * right[axis] / square) / nearest_m
                cut_v = (v + share * up[axis] / square) / nearest_m
                low_u, high_u = min(low_u, cut_u), max(high_u, cut_u)
                low_v, high_v = min(low_v, cut_v), max(high_v, cut_v)
    return low_u, high_u, low_v, high_v


@inlined
def _beams(directions: tuple[Floats, Floats, Floats], centre: Vector, square: float) -> tuple[int, int]:
    """Returns the first and the end of the unit vectors that may hit a ball, of a squared radius, about `centre`."""
    u, v, w = directions
    most = _dot(centre, centre) - square + 1e-9  # squared, along a ray that just grazes it
    first, end = len(u), 0
    for i in range(len(u)):
        along = u[i] * centre[0] + v[i] * centre[1] + w[i] * centre[2]
        if most <= 0 or (along > 0 and along * along >= most * (1 - 1e-9) - 2e-9):
            first, end = min(first, i), i + 1
    return (first, end) if first < end else (0, 0)


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _pixels(low: float, high: float, num: int) -> tuple[int, int]:
    """Returns the first and the end of the pixels, of `num`, between two places in half pixels from the middle."""
    first = np.ceil((low + num - 1) / 2 - _MARGIN)
    end = np.floor((high + num - 1) / 2 + _MARGIN) + 1
    first, end = first if first > 0 else 0.0, end if end < num else float(num)
    return (int(first), int(end)) if first < end else (0, 0)
