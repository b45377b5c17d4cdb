"""What the rays of a camera hit first: every shape is looked for only in the pixels where it may be.

In the frame of a shape the rays of a row of pixels are a straight function of the column, so that processors compute
several at once. What counts as a hit, and which one of two at the same depth, is as in MuJoCo's `mj_ray`.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.normals import decode
from robossl.envs.render.outlines import outlines
from robossl.envs.render.rays import Hits, View
from robossl.envs.render.shapes import follow, shapes_of

_PLANE, _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value)
    for name in ("PLANE", "SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
)
_FACES, _UPPER, _CURVED = 8, 4, 6  # see `decode`
_EPSILON = 1e-15  # MuJoCo's
_FAR = 1e30
_TINY = 1e-30  # no ray's square

Window = tuple[int, int, int, int]  # first and end of the columns and of the rows
Pixels = tuple[NDArray[np.float64], NDArray[np.float64], Window]  # x of all columns, y of all rows; the part to look at
Vector = tuple[float, float, float]
Rays = tuple[Vector, Vector, Vector, Vector]  # see `outlines`
Found = tuple[NDArray[np.float64], NDArray[np.int32]]  # depth and code [H, W]: whole rows, whose parts lie side by side


class Caster:
    """Casts the rays of cameras in the worlds of an engine whose model one `can_cast`."""

    def __init__(self, engine: MujocoEngine) -> None:
        self._engine, self._shapes = engine, shapes_of(engine)

    def refresh(self, ids: NDArray[np.int64]) -> None:
        """Follows model values of the worlds `ids` that changed."""
        follow(self._shapes, self._engine, ids)

    def cast(self, view: View, hits: Hits) -> None:
        """Finds what a camera sees: fills its part of depth, geom and, unless they are empty, normal of `hits`."""
        where = outlines(self._shapes, view, hits)
        _cast(self._shapes, hits.ids, where, (view.x, view.y), view.rays.start, (hits.depth, hits.geom))
        decode(self._shapes, view, hits)


@compiled
def _cast(shapes: Any, ids: NDArray[np.int64], where: Any, pixels: Any, first: int, found: Any) -> None:
    """Fills depths and codes, see `decode`, of the rays from `first` on; `where` is what `outlines` returns."""
    kinds, _, _, _, sizes, _ = shapes
    rays, rectangles = where
    x, y = pixels
    width, height = len(x), len(y)
    for i in range(len(ids)):
        depth = found[0][i, first : first + width * height].reshape(height, width)
        code = found[1][i, first : first + width * height].reshape(height, width)
        depth[:] = _FAR
        code[:] = -1
        for g in range(len(kinds)):
            window = rectangles[i, g, 0], rectangles[i, g, 1], rectangles[i, g, 2], rectangles[i, g, 3]
            if window[0] < window[1] and window[2] < window[3]:
                size = sizes[ids[i], g, 0], sizes[ids[i], g, 1], sizes[ids[i], g, 2]
                own = _vector(rays[i, g, 0]), _vector(rays[i, g, 1]), _vector(rays[i, g, 2]), _vector(rays[i, g, 3])
                _cast_shape(kinds[g], (x, y, window), own, size, _FACES * g, (depth, code))
        for row in range(height):
            for column in range(width):
                depth[row, column] = depth[row, column] if code[row, column] >= 0 else -1.0


@compiled
def _vector(values: NDArray[np.float64]) -> Vector:
    return values[0], values[1], values[2]


@compiled
def _cast_shape(kind: int, pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    if kind == _PLANE:
        _cast_plane(pixels, rays, size, face + _UPPER, found)
    elif kind == _BOX:
        _cast_box(pixels, rays, size, face, found)
    elif kind == _CYLINDER:
        _cast_cylinder(pixels, rays, size, face, found)
    elif kind == _CAPSULE:
        _cast_capsule(pixels, rays, size, face + _CURVED, found)
    else:
        a, b, c, o = rays
        half = (size[0], size[0], size[0]) if kind == _SPHERE else size
        rays = _divided(a, half), _divided(b, half), _divided(c, half), _divided(o, half)
        _cast_unit_sphere(pixels, rays, face + _CURVED, found)


@compiled
def _divided(of: Vector, by: Vector) -> Vector:
    return of[0] / by[0], of[1] / by[1], of[2] / by[2]


@compiled
def _cast_plane(pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    (x, y, (left, right, top, bottom)), (a, b, c, o), (depth, code) = pixels, rays, found
    x = x[left:right]
    wide = size[0] if size[0] > 0 else np.inf
    long = size[1] if size[1] > 0 else np.inf
    for row in range(top, bottom):
        bx, by, bz = b[0] * y[row] + c[0], b[1] * y[row] + c[1], b[2] * y[row] + c[2]
        depths, codes = depth[row, left:right], code[row, left:right]
        for i in range(len(x)):
            dx, dy, dz = a[0] * x[i] + bx, a[1] * x[i] + by, a[2] * x[i] + bz
            t = -o[2] / dz
            is_hit = (dz < -_EPSILON) & (t >= 0) & (t < depths[i])
            is_hit &= (abs(o[0] + t * dx) <= wide) & (abs(o[1] + t * dy) <= long)
            depths[i] = t if is_hit else depths[i]
            codes[i] = face if is_hit else codes[i]


@compiled
def _cast_box(pixels: Pixels, rays: Rays, half: Vector, face: int, found: Found) -> None:
    (x, y, (left, right, top, bottom)), (a, b, c, o), (depth, code) = pixels, rays, found
    x = x[left:right]
    low = -half[0] - o[0], -half[1] - o[1], -half[2] - o[2]
    high = half[0] - o[0], half[1] - o[1], half[2] - o[2]
    is_inside = low[0] < 0 < high[0] and low[1] < 0 < high[1] and low[2] < 0 < high[2]
    for row in range(top, bottom):
        bx, by, bz = b[0] * y[row] + c[0], b[1] * y[row] + c[1], b[2] * y[row] + c[2]
        depths, codes = depth[row, left:right], code[row, left:right]
        for i in range(len(x)):
            dx, dy, dz = 1 / (a[0] * x[i] + bx), 1 / (a[1] * x[i] + by), 1 / (a[2] * x[i] + bz)
            x1, x2, y1, y2, z1, z2 = low[0] * dx, high[0] * dx, low[1] * dy, high[1] * dy, low[2] * dz, high[2] * dz
            near_x, far_x = (x1, x2) if dx > 0 else (x2, x1)
            near_y, far_y = (y1, y2) if dy > 0 else (y2, y1)
            near_z, far_z = (z1, z2) if dz > 0 else (z2, z1)
            near = near_x if near_x > near_y else near_y
            near = near_z if near_z > near else near
            far = far_x if far_x < far_y else far_y
            far = far_z if far_z < far else far
            t = far if is_inside else near
            is_hit = (near <= far) & (t >= 0) & (t < depths[i])
            # Where a ray comes in it runs against the face it meets, where it goes out along it.
            is_x, is_y = (t == near_x) | (t == far_x), (t == near_y) | (t == far_y)
            slope, side = (dx, 0) if is_x else (dy, 2) if is_y else (dz, 4)
            side += (slope > 0) != is_inside
            depths[i] = t if is_hit else depths[i]
            codes[i] = face + side if is_hit else codes[i]


@compiled
def _cast_unit_sphere(pixels: Pixels, rays: Rays, face: int, found: Found) -> None:
    (x, y, (left, right, top, bottom)), (a, b, c, o), (depth, code) = pixels, rays, found
    x = x[left:right]
    offset = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1
    sign = 1.0 if offset < 0 else -1.0  # from inside, the second of two hits
    for row in range(top, bottom):
        bx, by, bz = b[0] * y[row] + c[0], b[1] * y[row] + c[1], b[2] * y[row] + c[2]
        depths, codes = depth[row, left:right], code[row, left:right]
        for i in range(len(x)):
            dx, dy, dz = a[0] * x[i] + bx, a[1] * x[i] + by, a[2] * x[i] + bz
            square, slope = dx * dx + dy * dy + dz * dz, dx * o[0] + dy * o[1] + dz * o[2]
            rest = slope * slope - square * offset
            t = (sign * np.sqrt(rest) - slope) / square
            is_hit = (rest >= 0) & (t >= 0) & (t < depths[i])
            depths[i] = t if is_hit else depths[i]
            codes[i] = face if is_hit else codes[i]


@compiled
def _cast_capsule(pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    (x, y, (left, right, top, bottom)), (a, b, c, o), (depth, code) = pixels, rays, found
    x = x[left:right]
    radius, half = size[0], size[1]
    offset = o[0] * o[0] + o[1] * o[1] - radius * radius
    beyond = max(abs(o[2]) - half, 0.0)
    sign = 1.0 if offset + beyond * beyond < 0 else -1.0
    for row in range(top, bottom):
        bx, by, bz = b[0] * y[row] + c[0], b[1] * y[row] + c[1], b[2] * y[row] + c[2]
        depths, codes = depth[row, left:right], code[row, left:right]
        for i in range(len(x)):
            dx, dy, dz = a[0] * x[i] + bx, a[1] * x[i] + by, a[2] * x[i] + bz
            square, slope = dx * dx + dy * dy, dx * o[0] + dy * o[1]
            square = square if square > _TINY else _TINY  # along the axis: in and out are infinitely far
            rest = slope * slope - square * offset
            side = (sign * np.sqrt(rest) - slope) / square
            z = o[2] + side * dz
            # Where the tube is met beyond its end, the ball at that end may be.
            end = half if z > 0 else -half
            oz = o[2] - end
            ball_square, ball_slope = square + dz * dz, slope + dz * oz
            ball_rest = ball_slope * ball_slope - ball_square * (offset + oz * oz)
            ball = (sign * np.sqrt(ball_rest) - ball_slope) / ball_square
            is_tube = abs(z) <= half
            t = side if is_tube else ball
            is_hit = (rest >= 0) & (is_tube | (ball_rest >= 0)) & (t >= 0) & (t < depths[i])
            depths[i] = t if is_hit else depths[i]
            codes[i] = face if is_hit else codes[i]


@compiled
def _cast_cylinder(pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    (x, y, (left, right, top, bottom)), (a, b, c, o), (depth, code) = pixels, rays, found
    x = x[left:right]
    radius, half = size[0], size[1]
    offset = o[0] * o[0] + o[1] * o[1] - radius * radius
    low, high = -half - o[2], half - o[2]
    is_inside = offset < 0 and low < 0 < high
    for row in range(top, bottom):
        bx, by, bz = b[0] * y[row] + c[0], b[1] * y[row] + c[1], b[2] * y[row] + c[2]
        depths, codes = depth[row, left:right], code[row, left:right]
        for i in range(len(x)):
            dx, dy, dz = a[0] * x[i] + bx, a[1] * x[i] + by, 1 / (a[2] * x[i] + bz)
            square, slope = dx * dx + dy * dy, dx * o[0] + dy * o[1]
            square = square if square > _TINY else _TINY
            rest = slope * slope - square * offset
            root = np.sqrt(rest)
            near_side, far_side = (-root - slope) / square, (root - slope) / square
            near_end, far_end = (low * dz, high * dz) if dz > 0 else (high * dz, low * dz)
            near = near_end if near_end > near_side else near_side
            far = far_end if far_end < far_side else far_side
            t = far if is_inside else near
            is_end = t == (far_end if is_inside else near_end)
            is_hit = (rest >= 0) & (near <= far) & (t >= 0) & (t < depths[i])
            side = 4 + ((dz > 0) != is_inside) if is_end else _CURVED
            depths[i] = t if is_hit else depths[i]
            codes[i] = face + side if is_hit else codes[i]
