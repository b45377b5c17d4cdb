"""Draws all worlds at once with MuJoCo Warp's ray tracer: on a GPU, or slowly on a processor.

Drawn: every geom of the groups 0-2, textured and lit as MuJoCo's OpenGL renderer does it, without shadows and
reflections; the model's skybox where a ray hits nothing. A geom is not seen from within. Which worlds are asked for
makes no difference to the time that it takes.
"""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs
from robossl.envs.host import on_host
from robossl.envs.render.renderer import camera_index, wanted
from robossl.envs.warp.engine import WarpEngine
from robossl.envs.warp.library import mujoco_warp, warp

_HORIZON = (0.80, 0.87, 0.93, 1.0)
_RGB_OF_PIXEL = [2, 1, 0]  # bytes of a pixel: blue, green, red, alpha


class WarpRenderer:
    """See `Renderer`."""

    name = "warp"
    version = 1
    modalities = ("rgb", "depth", "segmentation")
    engine_type = WarpEngine

    def __init__(self, engine: WarpEngine, cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> None:
        self._engine, self._wanted = engine, wanted(cameras, keys)
        self._cameras = [camera for camera in cameras if camera.name in self._wanted]
        self._index = [camera_index(engine.model, camera) for camera in self._cameras]
        device, shape = engine.device, (engine.num_worlds, len(self._cameras), 3)
        self._shift = torch.tensor([camera.shift_m for camera in self._cameras], device=device)[:, None]
        self._pos, self._mat = torch.zeros(shape, device=device), torch.zeros((*shape, 3), device=device)
        with engine.worlds.at_work():
            self._context = self._new_context()
            self._views = self._views_of(engine.worlds.model)
            self._data = copy.copy(engine.worlds.data)  # the same memory but for the cameras
            self._data.cam_xpos = warp.from_torch(self._pos, dtype=warp.vec3)
            self._data.cam_xmat = warp.from_torch(self._mat, dtype=warp.mat33)

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """See `Renderer.render`."""
        engine, index = self._engine, self._index
        mat = engine.read("cam_xmat")[:, index].reshape(self._mat.shape)
        self._mat[...] = mat
        self._pos[...] = engine.read("cam_xpos")[:, index] + self._shift * mat[..., 0]
        with engine.worlds.at_work():
            model = copy.copy(engine.worlds.model)
            for field, values in self._views.items():
                setattr(model, field, values)
            fovy = warp.to_torch(engine.worlds.model.cam_fovy)[:, index].contiguous()
            model.cam_fovy = warp.from_torch(fovy)
            mujoco_warp.refit_bvh(model, self._data, self._context)
            mujoco_warp.render(model, self._data, self._context)
        return self._pictures(slice(None) if ids is None else torch.as_tensor(ids, device=engine.device))

    def close(self) -> None:
        """See `Renderer.close`."""

    def _new_context(self) -> Any:
        """Returns what MuJoCo Warp draws with: one picture for each of our cameras, which share the model's."""
        model = copy.copy(self._engine.model)
        model.vis.map.zfar = 0.0  # nothing is too far away
        context = mujoco_warp.create_render_context(
            model,
            nworld=self._engine.num_worlds,
            cam_active=self._index,
            cam_res=[(camera.width, camera.height) for camera in self._cameras],
            render_rgb=self._asks("rgb"),
            render_depth=self._asks("depth"),
            render_seg=self._asks("segmentation"),
            use_precomputed_rays=False,  # the fields of view may differ between worlds
            render_skybox=True,
            background_color=_HORIZON,
        )
        context.cam_id_map = warp.array(np.arange(len(self._cameras)), dtype=int)
        return context

    def _asks(self, modality: str) -> list[bool]:
        return [modality in self._wanted[camera.name] for camera in self._cameras]

    def _views_of(self, model: Any) -> dict[str, Any]:
        """Returns the model's fields of cameras, by picture."""
        index, found = self._index, dict[str, Any]()
        for field in ("cam_projection", "cam_sensorsize"):
            own = getattr(model, field)
            found[field] = warp.array(own.numpy()[index], dtype=own.dtype)
        found["cam_intrinsic"] = warp.array(model.cam_intrinsic.numpy()[:, index], dtype=model.cam_intrinsic.dtype)
        return found

    def _pictures(self, rows: Any) -> Obs:
        context, num_worlds = self._context, self._engine.num_worlds
        pixels = warp.to_torch(context.rgb_data).contiguous().view(torch.uint8).reshape(num_worlds, -1, 4)
        flat = {
            "rgb": pixels,
            "depth": warp.to_torch(context.depth_data)[..., None],
            "segmentation": warp.to_torch(context.seg_data)[..., :1],
        }
        columns = {"rgb": _RGB_OF_PIXEL, "depth": [0], "segmentation": [0]}
        pictures, first = {}, dict.fromkeys(flat, 0)
        for camera in self._cameras:
            for modality in self._wanted[camera.name]:
                start = first[modality]
                first[modality] += camera.width * camera.height
                picture = flat[modality][rows, start : first[modality]][..., columns[modality]]  # a copy
                size = (camera.height, camera.width, len(columns[modality]))
                pictures[f"{modality}_{camera.name}"] = on_host(picture.reshape(-1, *size))
        return pictures
