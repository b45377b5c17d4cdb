"""The rays that a camera's pixels look along."""

from dataclasses import dataclass
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec
from robossl.envs.casting import Fan, picture_fan
from robossl.envs.compiled import compiled
from robossl.envs.render.poses import Poses
from robossl.envs.render.renderer import camera_index, require_fovy

_PRIMITIVES = {
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value)
    for name in ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
}


@dataclass(frozen=True, slots=True)
class View:
    """A camera, and which of all rays are its own.

    Attributes:
        index: among the views.
        camera_id: of the camera in the model.
        modalities: what is wanted of it.
        rays: slice of the axis of rays, pixels row by row.
        fan: the rays themselves.
        hidden_body: whose geoms it does not see, or -1.
    """

    camera: CameraSpec
    index: int
    camera_id: int
    modalities: tuple[str, ...]
    rays: slice
    fan: Fan
    hidden_body: int


class Hits(NamedTuple):
    """What the R rays of C cameras hit in n worlds.

    Attributes:
        ids: [n] the worlds.
        pos, mat, tan: see `Poses`.
        direction: [n, R, 3] of length 1 along the cameras' axes.
        depth: [n, R] along the axes, -1 where nothing is hit.
        geom: [n, R], -1 where nothing is hit.
        normal: [n, R, 3] of the surfaces, 0 where nothing is hit.
    """

    ids: NDArray[np.int64]
    pos: NDArray[np.float64]
    mat: NDArray[np.float64]
    tan: NDArray[np.float64]
    direction: NDArray[np.float64]
    depth: NDArray[np.float64]
    geom: NDArray[np.int32]
    normal: NDArray[np.float64]


def make_views(
    model: mujoco.MjModel, cameras: tuple[CameraSpec, ...], wanted: dict[str, tuple[str, ...]]
) -> list[View]:
    """Returns the views of the wanted cameras, their rays one after the other.

    Raises:
        UserError: if a camera is not in the model or is not a plain perspective one.
    """
    views: list[View] = []
    first = 0
    for camera in cameras:
        if camera.name not in wanted:
            continue
        camera_id = camera_index(model, camera)
        require_fovy(model, camera, "`raycast`")
        rays = slice(first, first + camera.width * camera.height)
        fan, hidden = picture_fan(camera.width, camera.height), _enclosing_body(model, camera_id)
        views.append(View(camera, len(views), camera_id, wanted[camera.name], rays, fan, hidden))
        first = rays.stop
    return views


def aim(view: View, poses: Poses, direction: NDArray[np.float64]) -> None:
    """Points the rays of a camera in n worlds.

    Args:
        view: the camera.
        poses: of all cameras.
        direction: [n, R, 3], of all cameras; this one's are filled, of length 1 along the optical axis: distances along
            them are depths.
    """
    _aim(view.fan.x, view.fan.y, view.index, view.rays.start, poses, direction)


@compiled
def _aim(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    camera: int,
    first: int,
    poses: Poses,
    direction: NDArray[np.float64],
) -> None:
    _, mats, tans = poses  # by place, not by name: this file does not notice when their class changes
    for world in range(len(direction)):
        mat, tan = mats[world, camera], tans[world, camera]
        right, up, back = _column(mat, 0), _column(mat, 1), _column(mat, 2)
        ray = first
        for row in range(len(y)):
            high = y[row] * tan
            ahead = high * up[0] - back[0], high * up[1] - back[1], high * up[2] - back[2]
            for column in range(len(x)):
                wide = x[column] * tan
                there = direction[world, ray]
                there[0], there[1], there[2] = (
                    wide * right[0] + ahead[0],
                    wide * right[1] + ahead[1],
                    wide * right[2] + ahead[2],
                )
                ray += 1


@compiled
def _column(matrix: NDArray[np.float64], index: int) -> tuple[float, float, float]:
    return matrix[0, index], matrix[1, index], matrix[2, index]


def _enclosing_body(model: mujoco.MjModel, camera: int) -> int:
    """Returns the camera's body if the camera is inside one of its primitives, whose inside it would see; else -1."""
    body = model.cam_bodyid[camera]
    if body == 0:  # hiding the world would hide all that stands in it
        return -1
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    forward = np.array([1.0, 0.0, 0.0])
    for geom in np.flatnonzero(model.geom_bodyid == body):
        if model.geom_type[geom] in _PRIMITIVES:
            shape = (data.geom_xpos[geom], data.geom_xmat[geom], model.geom_size[geom], data.cam_xpos[camera])
            hits = [mujoco.mju_rayGeom(*shape, ray, model.geom_type[geom], None) for ray in (forward, -forward)]
            if min(hits) >= 0:  # only from inside of a convex shape is it on both sides
                return int(body)
    return -1
