"""Where cameras are and what they see of it, from the model."""

import math
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

from robossl.core import CameraSpec
from robossl.envs.elements import element_id
from robossl.envs.task import TaskSpec

TITLES = (
    "camera",
    "pixels",
    "field of view: upright, across",
    "where, m",
    "looks along",
    "up is",
    "moves with",
)


def rows(spec: TaskSpec, model: Any) -> Iterator[tuple[str, ...]]:
    """Yields a row of the table `TITLES` for each camera; vectors are in the frame of what it moves with."""
    for camera in spec.cameras:
        index = element_id(model, "camera", camera.of or camera.name)
        turned = np.zeros(9)
        mujoco.mju_quat2Mat(turned, model.cam_quat[index])
        _, up, back = turned.reshape(3, 3).T
        body = model.body(model.cam_bodyid[index]).name
        yield (
            f"`{camera.name}`" + (", for people's videos" if camera.name == spec.viewer_camera else ""),
            f"{camera.width}x{camera.height}",
            _field_of_view(camera, float(model.cam_fovy[index])),
            _place(camera, model.cam_pos[index]),
            _vector(-back),
            _vector(up),
            "nothing" if body == "world" else f"`{body}`",
        )


def _field_of_view(camera: CameraSpec, upright_deg: float) -> str:
    across = math.atan(math.tan(math.radians(upright_deg) / 2) * camera.width / camera.height)
    return f"{upright_deg:g}°, {2 * math.degrees(across):.3g}°"


def _place(camera: CameraSpec, position: Any) -> str:
    if camera.of is None:
        return _vector(position)
    side = "right" if camera.shift_m > 0 else "left"
    return f"{1000 * abs(camera.shift_m):g} mm to the {side} of `{camera.of}`"


def _vector(values: Any) -> str:
    return ", ".join(f"{value + 0.0:g}" for value in np.round(values, 3))
