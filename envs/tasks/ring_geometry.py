"""Geometry of the square ring corridor: where along it a point is, and how far from walls and obstacles.

Elementwise functions over any array namespace `xp` of the Python array API: the task calls them with the engine's,
the planner with numpy. The ring is centred on the world's origin; the arc coordinate starts at its south-east corner
and grows anticlockwise, so that the corners lie at whole multiples of `SIDE_M`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled, fused
from robossl.envs.tasks.columns import columns

Floats = NDArray[np.float64]

OUTER_M = 8.0
INNER_M = 5.0
CENTRE_M = (OUTER_M + INNER_M) / 2
SIDE_M = 2 * CENTRE_M
LENGTH_M = 4 * SIDE_M
CAR_RADIUS_M = 0.25
_COS, _SIN = np.array([0.0, -1.0, 0.0, 1.0]), np.array([1.0, 0.0, -1.0, 0.0])  # of the travel direction on each side
OBSTACLE_NAMES = ("x_m", "y_m", "cos_yaw", "sin_yaw", "half_x_m", "half_y_m", "radius_m")


def arc_coordinate(xp: Any, x_m: Array, y_m: Array) -> Array:
    """Projects points [...] onto the centre line, along rays from the ring's centre.

    The projection is exact on the centre line and, unlike the nearest point, has no jump where a car cuts a corner.

    Returns:
        [...] metres in [0, LENGTH_M).
    """
    far_x, far_y = xp.abs(x_m), xp.abs(y_m)
    size = xp.maximum(far_x, far_y) + 1e-30  # the centre has no ray: any will do
    u, v = x_m / size, y_m / size  # the same ray on the unit square
    east_west = far_x >= far_y
    # In half sides: 1 + v east, 3 - u north, 5 - v west, 7 + u south; each line below joins two opposite sides.
    arc = xp.where(east_west, 3 - 2 * u + u * v, 5 - 2 * v - u * v) * CENTRE_M
    return xp.where(arc >= LENGTH_M, arc - LENGTH_M, arc)


arc_in_doubles = fused(arc_coordinate)
"""The same, compiled: of float32 it makes float64."""


def wrapped(xp: Any, difference_m: Array) -> Array:
    """Returns differences [...] of arc coordinates the short way round, in [-LENGTH_M / 2, LENGTH_M / 2]."""
    return difference_m - LENGTH_M * xp.floor(difference_m / LENGTH_M + 0.5)


def outward_offset(xp: Any, x_m: Array, y_m: Array) -> Array:
    """Returns the distance [...] from the centre line, positive towards the outer wall."""
    return xp.maximum(xp.abs(x_m), xp.abs(y_m)) - CENTRE_M


def footprints(size: NDArray[np.float64], is_box: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Returns half_x, half_y and radius [..., M, 3] of upright boxes and cylinders with MuJoCo's sizes [..., M, 3]."""
    box, cylinder = size * [1, 1, 0], size[..., [1, 1, 0]] * [0, 0, 1]
    return np.where(is_box[:, None], box, cylinder).astype(np.float32)


def wall_distance(xp: Any, x_m: Array, y_m: Array) -> Array:
    """Returns the distance [...] from points to the nearest wall, negative inside one."""
    x, y = xp.abs(x_m), xp.abs(y_m)
    return xp.minimum(OUTER_M - xp.maximum(x, y), box_distance(xp, x - INNER_M, y - INNER_M))


def obstacle_distance(xp: Any, x_m: Array, y_m: Array, obstacles: Array) -> Array:
    """Returns the distance [...] from points to obstacles, negative inside one.

    Args:
        xp: array namespace.
        x_m: [...].
        y_m: [...].
        obstacles: [..., 7], broadcast against the points: `OBSTACLE_NAMES`. A box has no radius, a cylinder no half
            sizes.
    """
    dx, dy = x_m - obstacles[..., 0], y_m - obstacles[..., 1]
    cos, sin = obstacles[..., 2], obstacles[..., 3]
    along, across = xp.abs(cos * dx + sin * dy), xp.abs(cos * dy - sin * dx)
    return box_distance(xp, along - obstacles[..., 4], across - obstacles[..., 5]) - obstacles[..., 6]


def obstacle_table(xp: Any, position: Array, quat: Array, shapes: Array) -> Array:
    """Describes obstacles at positions [N, M, 3] with orientations [N, M, 4] as [N, M, 7] `OBSTACLE_NAMES`."""
    w, z = quat[..., 0], quat[..., 3]
    pose = columns(xp, position[..., 0], position[..., 1], 1 - 2 * z * z, 2 * w * z)
    return xp.concat([pose, xp.zeros_like(pose[..., :3]) + xp.asarray(shapes, device=pose.device)], axis=-1)


def box_distance(xp: Any, over_x: Array, over_y: Array) -> Array:
    """Returns the signed distance to a box from how far |x| and |y| exceed its half sizes, [...] each."""
    inside = xp.clip(xp.maximum(over_x, over_y), None, 0.0)
    over_x, over_y = xp.clip(over_x, 0.0, None), xp.clip(over_y, 0.0, None)
    return xp.sqrt(over_x * over_x + over_y * over_y) + inside


@compiled
def centre_line(arc_m: Floats, offset_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns x, y and the anticlockwise travel direction (rad), [...] each, at arc coordinates and outward offsets."""
    x, y, heading = np.empty_like(arc_m), np.empty_like(arc_m), np.empty_like(arc_m)
    for i in range(arc_m.size):
        side = np.floor(arc_m.flat[i] / SIDE_M)
        along, out = arc_m.flat[i] - side * SIDE_M - CENTRE_M, CENTRE_M + offset_m.flat[i]
        cos, sin = _COS[int(side) % 4], _SIN[int(side) % 4]
        x.flat[i], y.flat[i] = along * cos + out * sin, along * sin - out * cos
        heading.flat[i] = (side + 1) * (np.pi / 2)
    return x, y, heading
