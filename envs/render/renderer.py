"""What a renderer offers: pictures of N worlds, straight into the arrays that leave the environment."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, CameraSpec, Obs, UnknownNameError


class Renderer(Protocol):
    """Draws cameras of the engine's worlds; constructed as `Renderer(engine, cameras, modalities)`.

    Attributes:
        name, version: identify the pixels; written wherever pictures are stored.
    """

    name: str
    version: int

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """Draws the worlds `ids` (all where None), n of them.

        Returns:
            {f"{modality}_{camera}": [n, H, W, C]}: rgb uint8 C = 3; depth float32 C = 1, metres along the optical
            axis, 0 where nothing is hit; segmentation int32 C = 1, geom id, -1 where nothing is hit.
        """

    def close(self) -> None:
        """Frees threads and graphics contexts."""


def split_key(key: str) -> tuple[str, str]:
    """Splits an observation key such as 'rgb_front' into modality and camera."""
    modality, _, camera = key.partition("_")
    return modality, camera


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
    channels, dtype = {"rgb": (3, np.uint8), "depth": (1, np.float32), "segmentation": (1, np.int32)}[modality]
    return np.empty((num_worlds, camera.height, camera.width, channels), dtype)


def camera_index(model: Any, name: str) -> int:
    """Returns the index of a camera in an `MjModel`.

    Raises:
        UnknownNameError: if it has no such camera.
    """
    names = [model.camera(index).name for index in range(model.ncam)]
    if name not in names:
        raise UnknownNameError("camera of the model", name, names)
    return names.index(name)
