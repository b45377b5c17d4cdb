"""Draws by casting one ray through every pixel: needs no graphics library, and repeats bit for bit.

Drawn: every geom of the groups 0-2 that is not fully transparent; `shading` says in which colours, and `textures`
which textures (those on planes and boxes; any other is refused). Where a ray hits nothing there is sky, with a
horizon. Not drawn: shadows, reflections, highlights, sites, tendons, skins and flexes; half-transparent counts as
opaque. A camera inside one of its own body's geoms does not see that body.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import VISIBLE_GROUPS
from robossl.envs.render.poses import CameraPoses
from robossl.envs.render.rays import View, aim, inverse_lengths, make_views
from robossl.envs.render.renderer import blank, wanted
from robossl.envs.render.shading import Hits, Shader

_MAX_RAYS = 1 << 19  # of one call: bounds the memory that rays and hits take
_MIN_RAYS = 1 << 15  # of one thread: with fewer, the threads wait for each other longer than they work
_NO_NORMALS = np.zeros((0, 0, 3))


class RaycastRenderer:
    """See `Renderer`. The rays of all cameras and worlds are one call of `mujoco.batch.Batch.ray`."""

    name = "raycast"
    version = 1
    modalities = ("rgb", "depth", "segmentation", "normals")
    engine_type = MujocoEngine

    def __init__(self, engine: MujocoEngine, cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> None:
        self._engine = engine
        self._views = make_views(engine.model, cameras, wanted(cameras, keys))
        num_rays = [len(view.x) * len(view.y) for view in self._views]
        self._num_rays = sum(num_rays)
        self._hidden = np.repeat(np.array([view.hidden_body for view in self._views], np.int32), num_rays)
        self._poses = CameraPoses(engine, tuple(view.camera for view in self._views))
        self._shader = Shader(engine) if any("rgb" in view.modalities for view in self._views) else None
        self._needs_normals = any({"rgb", "normals"} & set(view.modalities) for view in self._views)
        self._threads = ThreadPoolExecutor(engine.num_threads)
        most = max(1, min(engine.num_worlds, _MAX_RAYS // max(1, self._num_rays)))
        self._rays = np.empty((2, most, self._num_rays, 3))  # starting points and directions

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """See `Renderer.render`."""
        ids = np.arange(self._engine.num_worlds) if ids is None else np.asarray(ids, np.int64)
        if self._shader is not None:
            self._shader.refresh(ids)
        pictures = {
            f"{modality}_{view.camera.name}": blank(modality, len(ids), view.camera)
            for view in self._views
            for modality in view.modalities
        }
        most = self._rays.shape[1]
        for first in range(0, len(ids), most):
            rows = slice(first, first + most)
            self._render(ids[rows], {key: picture[rows] for key, picture in pictures.items()})
        return pictures

    def rays(self, ids: NDArray[np.int64]) -> dict[str, Any]:
        """Points the rays of the worlds `ids`; returns all that `mujoco.batch.Batch.ray` is to be called with."""
        return self._aim(ids, *self._poses.now(ids))

    def close(self) -> None:
        """See `Renderer.close`."""
        self._threads.shutdown()

    def _render(self, ids: NDArray[np.int64], pictures: Obs) -> None:
        pos, mat, tan = self._poses.now(ids)
        rays = self._aim(ids, pos, mat, tan)
        depth, geom, *normal = self._engine.batch.ray(**rays)

        def paint(rows: slice) -> None:
            for view in self._views:
                hits = Hits(
                    ids=ids[rows],
                    start=pos[rows, view.index],
                    axis=-mat[rows, view.index, :, 2],
                    direction=rays["vec"][rows, view.rays],
                    inverse_length=inverse_lengths(view, tan[rows, view.index]),
                    pixel=2.0 * tan[rows, view.index] / view.camera.height,
                    depth=depth[rows, view.rays],
                    geom=geom[rows, view.rays],
                    normal=normal[0][rows, view.rays] if normal else _NO_NORMALS,
                )
                self._paint(view, hits, mat[rows, view.index], {key: part[rows] for key, part in pictures.items()})

        self._share_out(paint, len(ids))

    def _aim(
        self, ids: NDArray[np.int64], pos: NDArray[np.float64], mat: NDArray[np.float64], tan: NDArray[np.float64]
    ) -> dict[str, Any]:
        def aim_some(rows: slice) -> None:
            for view in self._views:
                camera = rows, view.index
                aim(view, pos[camera], mat[camera], tan[camera], self._rays[:, rows, view.rays])

        self._share_out(aim_some, len(ids))
        start, direction = self._rays[:, : len(ids)]
        others = {"geomgroup": VISIBLE_GROUPS, "bodyexclude": self._hidden, "ids": ids, "normal": self._needs_normals}
        return {"pnt": start, "vec": direction, **others}

    def _paint(self, view: View, hits: Hits, mat: NDArray[np.float64], pictures: Obs) -> None:
        for modality in view.modalities:
            out = pictures[f"{modality}_{view.camera.name}"]
            if modality == "depth":
                np.maximum(hits.depth.reshape(out.shape), 0.0, out=out, casting="same_kind")
            elif modality == "segmentation":
                out[...] = hits.geom.reshape(out.shape)
            elif modality == "normals":
                away = np.sign((hits.normal * hits.direction).sum(axis=-1, keepdims=True))
                out[...] = ((-away * hits.normal) @ mat).reshape(out.shape)
            elif self._shader is not None:
                self._shader.shade(hits, out)

    def _share_out(self, work: Callable[[slice], None], num_worlds: int) -> None:
        """Calls `work` with the rows of all worlds, in as many threads as are worth it."""
        num_parts = max(1, min(self._engine.num_threads, num_worlds, num_worlds * self._num_rays // _MIN_RAYS))
        bounds = [num_worlds * part // num_parts for part in range(num_parts + 1)]
        parts = [slice(first, last) for first, last in itertools.pairwise(bounds)]
        others = [self._threads.submit(work, part) for part in parts[1:]]
        work(parts[0])
        for other in others:
            other.result()
