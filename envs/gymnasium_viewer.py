"""Draws Gymnasium's MuJoCo environments with robossl's renderers, which need neither a display nor OpenGL.

Gymnasium's own drawing ends the whole process on a machine without OpenGL.
"""

import copy
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render import start_renderer

_TRACK = "track"  # the camera Gymnasium looks through where the model has it


class GymnasiumViewer:
    """Shows an environment as Gymnasium would: through its "track" camera, else from its default point of view."""

    def __init__(self, env: gymnasium.Env[Any, Any], renderer: str, *, width: int, height: int) -> None:
        native: Any = env.unwrapped
        model, camera = _with_camera(native)
        if renderer == "raycast":
            _drop_curved_textures(model)
        self._key = f"rgb_{camera}"
        self._engine = MujocoEngine(model, 1, 1)
        self._renderer = start_renderer(
            renderer, self._engine, (CameraSpec(name=camera, width=width, height=height),), (self._key,)
        )

    def draw(self, env: gymnasium.Env[Any, Any]) -> NDArray[np.uint8]:
        """Draws a copy of the environment that the viewer was made for, [H, W, 3]."""
        data = env.unwrapped.data  # type: ignore[attr-defined]
        only = np.zeros(1, np.int64)
        for name in ("qpos", "mocap_pos", "mocap_quat"):
            values = getattr(data, name)
            if values.size:
                self._engine.write(name, values[None], only)
        self._engine.forward()
        return np.array(self._renderer.render(only)[self._key][0], np.uint8)

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        self._renderer.close()
        self._engine.close()


def _with_camera(native: Any) -> tuple[mujoco.MjModel, str]:
    """Returns the model with the camera that Gymnasium would use, and that camera's name."""
    model = native.model
    if _TRACK in (model.camera(index).name for index in range(model.ncam)):
        return copy.copy(model), _TRACK
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    view: dict[str, Any] = {
        "azimuth": 90.0,
        "elevation": -45.0,
        "distance": model.stat.extent,
        "lookat": np.median(data.geom_xpos, axis=0),
        **(native.mujoco_renderer.default_cam_config or {}),
    }
    azimuth, elevation = np.radians(view["azimuth"]), np.radians(view["elevation"])
    forward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.column_stack([right, np.cross(right, forward), -forward]).ravel())
    spec = mujoco.MjSpec.from_file(native.fullpath)
    position = view["lookat"] - view["distance"] * forward
    spec.worldbody.add_camera(name="viewer", pos=position, quat=quat, fovy=model.vis.global_.fovy)
    return spec.compile(), "viewer"


def _drop_curved_textures(model: mujoco.MjModel) -> None:
    """Gives geoms that are no planes or boxes the mean colour of their texture: rays cannot look it up there."""
    flat = (mujoco.mjtGeom.mjGEOM_PLANE.value, mujoco.mjtGeom.mjGEOM_BOX.value)
    for geom in np.flatnonzero((model.geom_matid >= 0) & ~np.isin(model.geom_type, flat)):
        material = model.geom_matid[geom]
        model.geom_rgba[geom] = model.mat_rgba[material]
        model.geom_matid[geom] = -1
        for texture in model.mat_texid[material][model.mat_texid[material] >= 0]:
            channels, start = model.tex_nchannel[texture], model.tex_adr[texture]
            count = model.tex_height[texture] * model.tex_width[texture] * channels
            texels = model.tex_data[start : start + count].reshape(-1, channels)
            model.geom_rgba[geom, :3] *= texels[:, :3].mean(axis=0) / 255
