"""The rays that a camera's pixels look along."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec
from robossl.core.errors import UserError
from robossl.envs.render.renderer import camera_index

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
        x, y: [W] and [H] pixel centres, to the right and up, where the picture's upper edge is at y = 1.
        hidden_body: whose geoms it does not see, or -1.
    """

    camera: CameraSpec
    index: int
    camera_id: int
    modalities: tuple[str, ...]
    rays: slice
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    hidden_body: int


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
        if model.cam_projection[camera_id] != 0 or model.cam_sensorsize[camera_id].any():
            raise UserError(f"camera {camera.name!r} is orthographic or has intrinsics: `raycast` knows only fovy")
        width, height = camera.width, camera.height
        x = (2 * np.arange(width) + 1 - width) / height
        y = (height - 1 - 2 * np.arange(height)) / height
        rays = slice(first, first + width * height)
        hidden = _enclosing_body(model, camera_id)
        views.append(View(camera, len(views), camera_id, wanted[camera.name], rays, x, y, hidden))
        first = rays.stop
    return views


def aim(
    view: View, pos: NDArray[np.float64], mat: NDArray[np.float64], tan: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Points the rays of a camera in n worlds.

    Args:
        view: the camera.
        pos: [n, 3].
        mat: [n, 3, 3].
        tan: [n] of half its vertical field of view.
        out: [2, n, H * W, 3] filled with starting points, and with directions of length 1 along the optical axis:
            distances along them are depths.
    """
    num_worlds, width, height = len(tan), len(view.x), len(view.y)
    columns = (view.x * tan[:, None])[:, :, None] * mat[:, None, :, 0]
    rows = (view.y * tan[:, None])[:, :, None] * mat[:, None, :, 1] - mat[:, None, :, 2]
    # columns + rows as a product of [H, 4] and [4, 3 W]: half the time of a broadcast sum, and the same bits.
    left = np.concatenate([np.ones((num_worlds, height, 1)), rows], axis=2)
    spread = np.broadcast_to(np.tile(np.eye(3), width), (num_worlds, 3, 3 * width))
    right = np.concatenate([columns.reshape(num_worlds, 1, -1), spread], axis=1)
    np.matmul(left, right, out=out[1].reshape(num_worlds, height, 3 * width))
    out[0].reshape(num_worlds, height, 3 * width)[...] = np.tile(pos, width)[:, None]


def inverse_lengths(view: View, tan: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns 1 / length of the directions [n, H * W], or [1, H * W] where all worlds have one field of view."""
    if (tan == tan[:1]).all():
        tan = tan[:1]
    x, y = np.square(view.x * tan[:, None]), np.square(view.y * tan[:, None])
    return np.asarray(1.0 / np.sqrt(1.0 + y[:, :, None] + x[:, None, :])).reshape(len(tan), -1)


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
