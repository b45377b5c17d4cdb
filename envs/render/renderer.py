"""What a renderer offers: pictures of N worlds, straight into the arrays that leave the environment."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CameraSpec, Obs, UnknownNameError, UserError

_PICTURES: dict[str, dict[str, Any]] = {
    "rgb": {"shape": (3,), "dtype": "uint8", "low": 0, "high": 255},
    "depth": {"shape": (1,), "low": 0},
    "normals": {"shape": (3,), "low": -1, "high": 1},
    "flow": {"shape": (2,)},
    **{key: {"shape": (1,), "dtype": "int32", "low": -1} for key in ("segmentation", "bodies", "objects")},
}


class Renderer(Protocol):
    """Draws cameras of the engine's worlds; constructed as `Renderer(engine, cameras, keys)`, of pictures.

    Attributes:
        name, version: identify the pixels; written wherever pictures are stored.
        modalities: what it draws itself; `derived` computes the others.
    """

    name: str
    version: int
    modalities: tuple[str, ...]

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """Draws the worlds `ids` (all where None), n of them.

        Returns:
            {f"{modality}_{camera}": [n, H, W, C]}: rgb uint8 C = 3; depth float32 C = 1, metres along the optical
            axis, 0 where nothing is hit; segmentation, bodies, objects int32 C = 1, ids of geom, body and the body's
            whole tree, -1 where nothing is hit; normals float32 C = 3, unit vectors in the camera's frame (right, up,
            backwards), 0 where nothing is hit; flow float32 C = 2, pixels to the right and down that what is seen
            moved in the picture since `LastPoses` were kept: since the last picture.
        """

    def close(self) -> None:
        """Frees threads and graphics contexts."""


def split_key(key: str) -> tuple[str, str]:
    """Splits an observation key such as 'rgb_front' into modality and camera."""
    modality, _, camera = key.partition("_")
    return modality, camera


def is_flow(key: str) -> bool:
    """Tells whether a picture key asks for optical flow."""
    return split_key(key)[0] == "flow"


def wanted(cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Returns {camera: modalities} for the picture keys among `keys`, only for cameras that are asked for."""
    found: dict[str, list[str]] = {}
    names = {camera.name for camera in cameras}
    for key in keys:
        modality, camera = split_key(key)
        if camera in names:
            found.setdefault(camera, []).append(modality)
    return {camera: tuple(modalities) for camera, modalities in found.items()}


def blank(modality: str, num_worlds: int, camera: CameraSpec) -> Array:
    """Returns an array [N, H, W, C] for a camera's pictures; its content is arbitrary."""
    spec = picture_spec(modality, camera)
    return np.empty((num_worlds, *spec.shape), spec.dtype)


def picture_spec(modality: str, camera: CameraSpec) -> ArraySpec:
    """Describes a camera's pictures of one modality."""
    picture = _PICTURES[modality]
    return ArraySpec(**{**picture, "shape": (camera.height, camera.width, *picture["shape"])})


def camera_index(model: Any, camera: CameraSpec) -> int:
    """Returns the index in an `MjModel` of the camera that `camera` moves with.

    Raises:
        UnknownNameError: if it has no such camera.
    """
    name = camera.of or camera.name
    names = [model.camera(index).name for index in range(model.ncam)]
    if name not in names:
        raise UnknownNameError("camera of the model", name, names)
    return names.index(name)


def require_fovy(model: Any, camera: CameraSpec, what: str) -> None:
    """Checks that a camera's field of view says all of how it projects.

    Raises:
        UserError: naming the camera, and `what` knows no other projections.
    """
    index = camera_index(model, camera)
    if model.cam_projection[index] != 0 or model.cam_sensorsize[index].any():
        raise UserError(f"camera {camera.name!r} is orthographic or has intrinsics: {what} knows only fovy")
