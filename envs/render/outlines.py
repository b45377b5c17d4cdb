"""Where shapes are as a camera sees them: in which pixels at most, and the pixels' rays in each shape's own frame."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled
from robossl.envs.render.rays import Hits, View
from robossl.envs.render.shapes import Shapes

_PLANE, _SPHERE, _CAPSULE, _CYLINDER = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value) for name in ("PLANE", "SPHERE", "CAPSULE", "CYLINDER")
)
_NEAREST_M = 1e-6  # what is nearer to a camera may be missed
_MARGIN = 1e-6  # of a pixel

Vector = tuple[float, float, float]


def outlines(shapes: Shapes, view: View, hits: Hits) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Looks for all shapes in a camera's pictures of n worlds.

    Returns:
        [n, G, 4, 3] vectors a, b, c, o in a shape's frame: the ray of the pixel at (x, y) of `View` starts at o and has
        the direction x a + y b + c. [n, G, 4] first and end of the columns and of the rows where a shape may be seen:
        none of what is not drawn.
    """
    shape = (len(hits.ids), len(shapes.kind), 4)
    rays, pixels = np.empty((*shape, 3)), np.empty(shape, np.int64)
    camera = view.index, view.hidden_body, len(view.x), len(view.y)
    _outline(shapes, hits.ids, (hits.pos, hits.mat, hits.tan), camera, (rays, pixels))
    return rays, pixels


@compiled
def _outline(
    shapes: Any,
    ids: NDArray[np.int64],
    poses: Any,
    camera: tuple[int, int, int, int],
    found: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    kinds, bodies, geom_pos, geom_mat, sizes, is_drawn = shapes
    positions, mats, tans = poses
    index, hidden_body, width, height = camera
    rays, pixels = found
    for i in range(len(ids)):
        world, tan, pos, mat = ids[i], tans[i, index], positions[i, index], mats[i, index]
        for g in range(len(kinds)):
            columns, rows = (0, 0), (0, 0)
            if is_drawn[world, g] and (hidden_body < 0 or bodies[g] != hidden_body):
                axes, centre = geom_mat[world, g], geom_pos[world, g]
                o = _turned(axes, (pos[0] - centre[0], pos[1] - centre[1], pos[2] - centre[2]))
                right, up, back = _column(axes, mat, 0), _column(axes, mat, 1), _column(axes, mat, 2)
                for k in range(3):
                    rays[i, g, 0, k], rays[i, g, 1, k] = right[k] * tan, up[k] * tan
                    rays[i, g, 2, k], rays[i, g, 3, k] = -back[k], o[k]
                if kinds[g] == _PLANE:
                    columns, rows = (0, width), (0, height)
                else:
                    half = _half_sizes(kinds[g], (sizes[world, g, 0], sizes[world, g, 1], sizes[world, g, 2]))
                    low_u, high_u, low_v, high_v = _seen(o, (right, up, back), half)
                    scale = height / tan
                    columns = _pixels(low_u * scale, high_u * scale, width)
                    rows = _pixels(-high_v * scale, -low_v * scale, height)
            pixels[i, g, 0], pixels[i, g, 1] = columns
            pixels[i, g, 2], pixels[i, g, 3] = rows


@compiled
def _turned(to: NDArray[np.float64], vector: Vector) -> Vector:
    """Returns a vector in the frame whose axes are the columns of a matrix, [9]."""
    x, y, z = vector
    return (
        to[0] * x + to[3] * y + to[6] * z,
        to[1] * x + to[4] * y + to[7] * z,
        to[2] * x + to[5] * y + to[8] * z,
    )


@compiled
def _column(to: NDArray[np.float64], mat: NDArray[np.float64], column: int) -> Vector:
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
def _seen(o: Vector, axes: tuple[Vector, Vector, Vector], half: Vector) -> tuple[float, float, float, float]:
    """Returns least and greatest tangents, to the right and up, under which a box is seen: low above high for none.

    The camera is at `o` in the box's frame, where its axes point right, up and back. What is behind it is cut off.
    """
    right, up, back = axes
    low_u, high_u, low_v, high_v = np.inf, -np.inf, np.inf, -np.inf
    for corner in range(8):
        p = (
            (half[0] if corner & 1 else -half[0]) - o[0],
            (half[1] if corner & 2 else -half[1]) - o[1],
            (half[2] if corner & 4 else -half[2]) - o[2],
        )
        here, u, v = -_dot(p, back), _dot(p, right), _dot(p, up)
        if here >= _NEAREST_M:
            low_u, high_u = min(low_u, u / here), max(high_u, u / here)
            low_v, high_v = min(low_v, v / here), max(high_v, v / here)
        for axis in range(3):
            along = 2 * half[axis]  # the edge from here to a corner on the axis' other side
            there = here - along * back[axis]
            if not corner & (1 << axis) and (here >= _NEAREST_M) != (there >= _NEAREST_M):
                share = along * (here - _NEAREST_M) / (here - there)
                cut_u, cut_v = (u + share * right[axis]) / _NEAREST_M, (v + share * up[axis]) / _NEAREST_M
                low_u, high_u = min(low_u, cut_u), max(high_u, cut_u)
                low_v, high_v = min(low_v, cut_v), max(high_v, cut_v)
    return low_u, high_u, low_v, high_v


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
