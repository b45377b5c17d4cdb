"""Casts rays: every shape is looked for along the rays only that may hit it.

In the frame of a shape all rays of a fan start at one point; several of a row are computed at once. What counts as a
hit, and which one of two at exactly the same distance, is as in MuJoCo's `mj_ray`. All shapes are convex or planes: a
ray goes in near and out far.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.casting.fan import Fan
from robossl.envs.casting.outlines import outlines
from robossl.envs.casting.shapes import follow, shapes_of
from robossl.envs.compiled import compiled, inlined
from robossl.envs.engine import Engine

_PLANE, _SPHERE, _CAPSULE, _CYLINDER, _BOX = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value) for name in ("PLANE", "SPHERE", "CAPSULE", "CYLINDER", "BOX")
)
FACES, UPPER_FACE, CURVED_FACE = 8, 4, 6
"""A code is 8 times the geom that is hit plus its face: +x -x +y -y +z -z in its frame, or 6 where it is curved."""

_EPSILON = 1e-15  # MuJoCo's
_FAR = 1e30
_TINY = 1e-30  # no ray's square

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]
Pixels = tuple[Floats, Floats, Floats, tuple[int, int, int, int]]  # u, v, w of all rays; a part of columns and rows
Rays = tuple[Vector, Vector, Vector, Vector]  # axes and start of the fan
Found = tuple[Floats, NDArray[np.int32], float]  # distances and codes of all rays; the least distance that counts


class Caster:
    """Casts rays in the worlds of an engine.

    Attributes:
        shapes: that are there.

    Args:
        engine: computes on the host, with a model that one `can_cast`.
        is_picture: whether what is too clear to be seen is so for MuJoCo's renderer, or for its `mj_ray`.
    """

    def __init__(self, engine: Engine, *, is_picture: bool) -> None:
        self._engine, self.shapes = engine, shapes_of(engine)
        self._is_picture = is_picture
        self._version = np.full(engine.num_worlds, -1, np.int64)  # of the model values that the shapes have

    def refresh(self, ids: NDArray[np.int64]) -> None:
        """Follows model values of the worlds `ids` that changed since the last call."""
        versions = self._engine.model_version[ids]
        changed = ids[self._version[ids] != versions]
        if len(changed):
            follow(self.shapes, self._engine, changed, is_picture=self._is_picture)
            self._version[ids] = versions

    def cast(
        self,
        fan: Fan,
        ids: NDArray[np.int64],
        frames: tuple[Floats, Floats],
        found: tuple[Floats, NDArray[np.int32]],
        *,
        first: int = 0,
        hidden_body: int = -1,
        least_m: float = 0.0,
    ) -> None:
        """Finds what the rays of a fan hit in the worlds `ids` [n], which were refreshed.

        Args:
            fan: of H W rays.
            ids: [n].
            frames: [n, 3] where the rays start, [n, 3, 3] axes: see `outlines`.
            found: [n, R] how far the rays get, in lengths of their directions, -1 where they hit nothing, and [n, R]
                codes, see `FACES`, or -1; those of this fan's rays are filled.
            first: of these rays.
            hidden_body: whose geoms rays pass through.
            least_m: what is not as far away is not hit.
        """
        where = outlines(self.shapes, fan, ids, frames, hidden_body)
        _cast(self.shapes, ids, where, (fan.u, fan.v, fan.w), (first, least_m), found)


@compiled
def _cast(shapes: Any, ids: NDArray[np.int64], where: Any, fan: Any, first: tuple[int, float], found: Any) -> None:
    kinds, _, _, _, sizes, _ = shapes
    rays, windows = where
    u, v, w = fan
    start, least = first
    height, width = u.shape
    for i in range(len(ids)):
        distance = found[0][i, start : start + width * height].reshape(height, width)
        code = found[1][i, start : start + width * height].reshape(height, width)
        distance[:] = _FAR
        code[:] = -1
        for g in range(len(kinds)):
            window = windows[i, g, 0], windows[i, g, 1], windows[i, g, 2], windows[i, g, 3]
            if window[0] < window[1] and window[2] < window[3]:
                size = sizes[ids[i], g, 0], sizes[ids[i], g, 1], sizes[ids[i], g, 2]
                own = _vector(rays[i, g, 0]), _vector(rays[i, g, 1]), _vector(rays[i, g, 2]), _vector(rays[i, g, 3])
                _cast_shape(kinds[g], (u, v, w, window), own, size, FACES * g, (distance, code, least))
        for row in range(height):
            for column in range(width):
                distance[row, column] = distance[row, column] if code[row, column] >= 0 else -1.0


@inlined
def _vector(values: Floats) -> Vector:
    return values[0], values[1], values[2]


@inlined
def _cast_shape(kind: int, pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    if kind == _PLANE:
        _cast_plane(pixels, rays, size, face + UPPER_FACE, found)
    elif kind == _BOX:
        _cast_box(pixels, rays, size, face, found)
    elif kind == _CYLINDER:
        _cast_cylinder(pixels, rays, size, face, found)
    elif kind == _CAPSULE:
        _cast_capsule(pixels, rays, size, face + CURVED_FACE, found)
    else:
        a, b, c, o = rays
        half = (size[0], size[0], size[0]) if kind == _SPHERE else size
        rays = _divided(a, half), _divided(b, half), _divided(c, half), _divided(o, half)
        _cast_unit_sphere(pixels, rays, face + CURVED_FACE, found)


@compiled
def _divided(of: Vector, by: Vector) -> Vector:
    return of[0] / by[0], of[1] / by[1], of[2] / by[2]


@compiled
def _direction(rays: Rays, u: float, v: float, w: float) -> Vector:
    a, b, c, _ = rays
    return a[0] * u + b[0] * v + c[0] * w, a[1] * u + b[1] * v + c[1] * w, a[2] * u + b[2] * v + c[2] * w


@inlined
def _cast_plane(pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    (u, v, w, (left, right, top, bottom)), o, (distance, code, least) = pixels, rays[3], found
    wide = size[0] if size[0] > 0 else np.inf
    long = size[1] if size[1] > 0 else np.inf
    for row in range(top, bottom):
        for i in range(left, right):
            dx, dy, dz = _direction(rays, u[row, i], v[row, i], w[row, i])
            t = -o[2] / dz
            is_hit = (dz < -_EPSILON) & (t >= least) & (t < distance[row, i])
            is_hit &= (abs(o[0] + t * dx) <= wide) & (abs(o[1] + t * dy) <= long)
            distance[row, i] = t if is_hit else distance[row, i]
            code[row, i] = face if is_hit else code[row, i]


@inlined
def _cast_box(pixels: Pixels, rays: Rays, half: Vector, face: int, found: Found) -> None:
    (u, v, w, (left, right, top, bottom)), o, (distance, code, least) = pixels, rays[3], found
    low = -half[0] - o[0], -half[1] - o[1], -half[2] - o[2]
    high = half[0] - o[0], half[1] - o[1], half[2] - o[2]
    for row in range(top, bottom):
        for i in range(left, right):
            dx, dy, dz = _direction(rays, u[row, i], v[row, i], w[row, i])
            dx, dy, dz = 1 / dx, 1 / dy, 1 / dz
            x1, x2, y1, y2, z1, z2 = low[0] * dx, high[0] * dx, low[1] * dy, high[1] * dy, low[2] * dz, high[2] * dz
            near_x, far_x = (x1, x2) if dx > 0 else (x2, x1)
            near_y, far_y = (y1, y2) if dy > 0 else (y2, y1)
            near_z, far_z = (z1, z2) if dz > 0 else (z2, z1)
            near = near_x if near_x > near_y else near_y
            near = near_z if near_z > near else near
            far = far_x if far_x < far_y else far_y
            far = far_z if far_z < far else far
            is_out = near < least
            t = far if is_out else near
            is_hit = (near <= far) & (t >= least) & (t < distance[row, i])
            # Where a ray goes in it runs against the face it meets, where it goes out along it.
            is_x, is_y = (t == near_x) | (t == far_x), (t == near_y) | (t == far_y)
            slope, side = (dx, 0) if is_x else (dy, 2) if is_y else (dz, 4)
            side += (slope > 0) != is_out
            distance[row, i] = t if is_hit else distance[row, i]
            code[row, i] = face + side if is_hit else code[row, i]


@inlined
def _cast_unit_sphere(pixels: Pixels, rays: Rays, face: int, found: Found) -> None:
    (u, v, w, (left, right, top, bottom)), o, (distance, code, least) = pixels, rays[3], found
    offset = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1
    for row in range(top, bottom):
        for i in range(left, right):
            dx, dy, dz = _direction(rays, u[row, i], v[row, i], w[row, i])
            square, slope = dx * dx + dy * dy + dz * dz, dx * o[0] + dy * o[1] + dz * o[2]
            rest = slope * slope - square * offset
            root = np.sqrt(rest)
            near, far = (-root - slope) / square, (root - slope) / square
            t = far if near < least else near
            is_hit = (rest >= 0) & (t >= least) & (t < distance[row, i])
            distance[row, i] = t if is_hit else distance[row, i]
            code[row, i] = face if is_hit else code[row, i]


@inlined
def _cast_capsule(pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    (u, v, w, (left, right, top, bottom)), o, (distance, code, least) = pixels, rays[3], found
    radius, half = size[0], size[1]
    offset = o[0] * o[0] + o[1] * o[1] - radius * radius
    for row in range(top, bottom):
        for i in range(left, right):
            dx, dy, dz = _direction(rays, u[row, i], v[row, i], w[row, i])
            square, slope = dx * dx + dy * dy, dx * o[0] + dy * o[1]
            square = square if square > _TINY else _TINY  # along the axis: in and out are infinitely far
            tube = square, slope, slope * slope - square * offset
            near, is_near = _capsule_end(-1.0, tube, (o[2], dz), offset, half)
            far, is_far = _capsule_end(1.0, tube, (o[2], dz), offset, half)
            t = far if near < least else near
            is_hit = is_near & is_far & (t >= least) & (t < distance[row, i])
            distance[row, i] = t if is_hit else distance[row, i]
            code[row, i] = face if is_hit else code[row, i]


@compiled
def _capsule_end(
    sign: float, tube: tuple[float, float, float], line: tuple[float, float], offset: float, half: float
) -> tuple[float, bool]:
    """Returns where a ray goes into, or out of, a capsule, and whether it does."""
    (square, slope, rest), (oz, dz) = tube, line
    side = (sign * np.sqrt(rest) - slope) / square
    z = oz + side * dz
    # Where the tube is met beyond its end, the ball at that end may be.
    above = oz - (half if z > 0 else -half)
    ball_square, ball_slope = square + dz * dz, slope + dz * above
    ball_rest = ball_slope * ball_slope - ball_square * (offset + above * above)
    ball = (sign * np.sqrt(ball_rest) - ball_slope) / ball_square
    is_tube = abs(z) <= half
    return side if is_tube else ball, (rest >= 0) & (is_tube | (ball_rest >= 0))


@inlined
def _cast_cylinder(pixels: Pixels, rays: Rays, size: Vector, face: int, found: Found) -> None:
    (u, v, w, (left, right, top, bottom)), o, (distance, code, least) = pixels, rays[3], found
    radius, half = size[0], size[1]
    offset = o[0] * o[0] + o[1] * o[1] - radius * radius
    low, high = -half - o[2], half - o[2]
    for row in range(top, bottom):
        for i in range(left, right):
            dx, dy, dz = _direction(rays, u[row, i], v[row, i], w[row, i])
            dz = 1 / dz
            square, slope = dx * dx + dy * dy, dx * o[0] + dy * o[1]
            square = square if square > _TINY else _TINY
            rest = slope * slope - square * offset
            root = np.sqrt(rest)
            near_side, far_side = (-root - slope) / square, (root - slope) / square
            near_end, far_end = (low * dz, high * dz) if dz > 0 else (high * dz, low * dz)
            near = near_end if near_end > near_side else near_side
            far = far_end if far_end < far_side else far_side
            is_out = near < least
            t = far if is_out else near
            is_hit = (rest >= 0) & (near <= far) & (t >= least) & (t < distance[row, i])
            is_end = t == (far_end if is_out else near_end)
            side = UPPER_FACE + ((dz > 0) != is_out) if is_end else CURVED_FACE
            distance[row, i] = t if is_hit else distance[row, i]
            code[row, i] = face + side if is_hit else code[row, i]
