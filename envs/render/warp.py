"""Draws all worlds at once with MuJoCo Warp's ray tracer: on a GPU, or slowly on a processor.

Drawn: every geom of the groups 0-2, textured and lit as MuJoCo's OpenGL renderer does it, without shadows and
reflections; the model's skybox where a ray hits nothing. Half-transparent counts as opaque, cube textures are refused,
and images on a box's faces -x, +y and -z are mirrored. A geom is not seen from within. Which worlds are asked for makes
no difference to the time that it takes.
"""

import copy
from typing import Any

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs, UserError
from robossl.envs.host import on_host
from robossl.envs.mujoco_fields import in_visible_group
from robossl.envs.render.renderer import camera_index, wanted
from robossl.envs.warp.engine import WarpEngine
from robossl.envs.warp.library import mujoco_warp, warp
from robossl.envs.world_values import per_world

_HORIZON = (0.80, 0.87, 0.93, 1.0)
_RGB_ROLE, _FLAT = mujoco.mjtTextureRole.mjTEXROLE_RGB.value, mujoco.mjtTexture.mjTEXTURE_2D.value
_RGB_OF_PIXEL = [2, 1, 0]  # bytes of a pixel: blue, green, red, alpha


class WarpRenderer:
    """See `Renderer`."""

    name = "warp"
    version = 1
    modalities = ("rgb", "depth", "segmentation")
    engine_type = WarpEngine

    def __init__(self, engine: WarpEngine, cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> None:
        self._engine, self._wanted = engine, wanted(cameras, keys)
        self._version = np.full(engine.num_worlds, -1, np.int64)  # of the model values whose textures were looked at
        self._cameras = [camera for camera in cameras if camera.name in self._wanted]
        self._require_drawable()
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
        """See `Renderer.render`.

        Raises:
            UserError: if a geom got a texture that cannot be drawn.
        """
        self._require_drawable()
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

    def _require_drawable(self) -> None:
        if any(self._asks("rgb")) and (self._version != self._engine.model_version).any():
            _require_flat(self._engine)
            self._version[:] = self._engine.model_version

    def _asks(self, modality: str) -> list[bool]:
        return [modality in self._wanted[camera.name] for camera in self._cameras]

    def _views_of(self, model: Any) -> dict[str, Any]:
        """Returns the model's fields of cameras, by picture.

        Where a picture is wider or narrower than its sensor MuJoCo stretches it, and MuJoCo Warp cuts it off: it is
        given a sensor of the picture's shape, and lengths across in the sensor's proportion.
        """
        index, fields = self._index, ("cam_projection", "cam_sensorsize", "cam_intrinsic")
        projection, sensor, intrinsic = (getattr(model, field).numpy() for field in fields)
        sensor, intrinsic = sensor[index], intrinsic[:, index]
        for place, camera in enumerate(self._cameras):
            width, height = sensor[place]
            if height > 0:
                sensor[place, 0] = height * camera.width / camera.height
                intrinsic[:, place, [0, 2]] *= sensor[place, 0] / width
        values = zip(fields, (projection[index], sensor, intrinsic), strict=True)
        return {field: warp.array(own, dtype=getattr(model, field).dtype) for field, own in values}

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


def _require_flat(engine: WarpEngine) -> None:
    """Checks that no geom that is drawn has a texture around a cube, which MuJoCo Warp takes for a flat image."""
    model, everyone = engine.model, np.arange(engine.num_worlds)
    if not model.nmat or (model.tex_type == _FLAT).all():
        return
    material = per_world(engine, "geom_matid", everyone)
    images = per_world(engine, "mat_texid", everyone)[..., _RGB_ROLE]
    image = np.where(material >= 0, np.take_along_axis(images, np.maximum(material, 0), axis=1), -1)
    is_seen = in_visible_group(model.geom_group)
    for geom in np.flatnonzero(((image >= 0) & (model.tex_type[image] != _FLAT)).any(axis=0) & is_seen):
        name = model.geom(geom).name or f"number {geom}"
        raise UserError(f"geom {name!r} has a cube texture: `warp` draws flat ones only, `raycast` and `gl` both")
