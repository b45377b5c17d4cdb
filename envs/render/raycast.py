"""Draws by casting one ray through every pixel: needs no graphics library, and repeats bit for bit.

Drawn: every geom of the groups 0-2 that is not fully transparent, as MuJoCo's renderer counts it; `shading` says in
which colours, and `textures` which textures (those on planes and boxes; any other is refused). Where a ray hits nothing
there is sky, with a horizon. Not drawn: shadows, reflections, highlights, sites, tendons and skins; visible flexes are
refused. Half-transparent counts as opaque. A camera inside one of its own body's geoms does not see that body.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs, UserError
from robossl.envs.casting import Caster, can_cast, unlike_scans
from robossl.envs.casting.scanner import ray_by_ray
from robossl.envs.compiled import compiled
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import VISIBLE_GROUPS, in_visible_group
from robossl.envs.render.normals import decode
from robossl.envs.render.poses import CameraPoses, Poses
from robossl.envs.render.rays import Hits, View, aim, make_views
from robossl.envs.render.renderer import blank, wanted
from robossl.envs.render.shading import Shader

_MAX_RAYS = 1 << 19  # of one call: bounds the memory that rays and hits take
_MIN_RAYS = 1 << 14  # of one thread: with fewer, the threads wait for each other longer than they work
_NO_NORMALS = np.zeros((0, 0, 3))


class RaycastRenderer:
    """See `Renderer`; to be called by one thread at a time, and calls others itself.

    Where one cannot cast all shapes (`can_cast`), `mujoco.batch.Batch.ray` does: some twenty times slower.
    """

    name = "raycast"
    version = 2
    modalities = ("rgb", "depth", "segmentation", "normals")
    engine_type = MujocoEngine

    def __init__(self, engine: MujocoEngine, cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> None:
        _require_no_flexes(engine.model)
        self._engine = engine
        self._views = make_views(engine.model, cameras, wanted(cameras, keys))
        self._poses = CameraPoses(engine, tuple(view.camera for view in self._views))
        self._caster = Caster(engine, is_picture=True) if can_cast(engine.model) else None
        self._shader = Shader(engine) if any("rgb" in view.modalities for view in self._views) else None
        self._threads = ThreadPoolExecutor(engine.num_threads)
        self._num_rays = [view.fan.u.size for view in self._views]
        most = max(1, min(engine.num_worlds, _MAX_RAYS // max(1, sum(self._num_rays))))
        shape = (most, sum(self._num_rays))
        needs_normals = any({"rgb", "normals"} & set(view.modalities) for view in self._views)
        self._direction, self._depth, self._geom = np.empty((*shape, 3)), np.empty(shape), np.empty(shape, np.int32)
        self._normal = np.empty((*shape, 3)) if needs_normals else _NO_NORMALS

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """See `Renderer.render`."""
        ids = np.arange(self._engine.num_worlds) if ids is None else np.asarray(ids, np.int64)
        for follower in (self._caster, self._shader):
            if follower is not None:
                follower.refresh(ids)
        pictures = {
            f"{modality}_{view.camera.name}": blank(modality, len(ids), view.camera)
            for view in self._views
            for modality in view.modalities
        }
        most = len(self._depth)
        for first in range(0, len(ids), most):
            rows = slice(first, first + most)
            self._render(ids[rows], {key: picture[rows] for key, picture in pictures.items()})
        return pictures

    def rays(self, ids: NDArray[np.int64]) -> dict[str, Any]:
        """Points the rays of the worlds `ids`; returns all that `mujoco.batch.Batch.ray` is to be called with."""
        poses = self._poses.now(ids)
        direction = np.empty((len(ids), sum(self._num_rays), 3))
        for view in self._views:
            aim(view, poses, direction)
        return {
            "pnt": np.repeat(poses.pos, self._num_rays, axis=1),
            "vec": direction,
            "geomgroup": VISIBLE_GROUPS,
            "bodyexclude": np.repeat(np.array([view.hidden_body for view in self._views], np.int32), self._num_rays),
            "ids": ids,
            "normal": self._normal is not _NO_NORMALS,
        }

    def close(self) -> None:
        """See `Renderer.close`."""
        self._threads.shutdown()

    def _render(self, ids: NDArray[np.int64], pictures: Obs) -> None:
        poses = self._poses.now(ids)
        if self._caster is not None:
            rows = slice(len(ids))
            hits = Hits(ids, *poses, self._direction[rows], self._depth[rows], self._geom[rows], self._normal[rows])
        else:
            _require_seen_as_scanned(self._engine, ids)
            rays = self.rays(ids)
            depth, geom, *normal = ray_by_ray(self._engine.batch, **rays)
            hits = Hits(ids, *poses, rays["vec"], depth, geom, *(normal or [_NO_NORMALS]))

        def draw(rows: slice) -> None:
            some = Hits._make(part[rows] for part in hits)
            for view in self._views:
                if self._caster is not None:
                    _cast(self._caster, view, some)
                self._paint(view, some, {key: part[rows] for key, part in pictures.items()})

        self._share_out(draw, len(ids))

    def _paint(self, view: View, hits: Hits, pictures: Obs) -> None:
        for modality in view.modalities:
            out = pictures[f"{modality}_{view.camera.name}"]
            if modality == "depth":
                np.maximum(hits.depth[:, view.rays].reshape(out.shape), 0.0, out=out, casting="same_kind")
            elif modality == "segmentation":
                out[...] = hits.geom[:, view.rays].reshape(out.shape)
            elif modality == "normals":
                seen = hits.normal, hits.direction, hits.mat
                _turn_normals(seen, view.index, view.rays.start, out.reshape(len(out), -1, 3))
            elif self._shader is not None:
                self._shader.shade(view, hits, out)

    def _share_out(self, work: Callable[[slice], None], num_worlds: int) -> None:
        """Calls `work` with the rows of all worlds, in as many threads as are worth it."""
        num_parts = max(1, min(self._engine.num_threads, num_worlds, num_worlds * sum(self._num_rays) // _MIN_RAYS))
        bounds = [num_worlds * part // num_parts for part in range(num_parts + 1)]
        parts = [slice(first, last) for first, last in itertools.pairwise(bounds)]
        others = [self._threads.submit(work, part) for part in parts[1:]]
        work(parts[0])
        for other in others:
            other.result()


def _require_no_flexes(model: Any) -> None:
    for flex in range(model.nflex):
        group, alpha = model.flex_group[flex], model.flex_rgba[flex, 3]
        if in_visible_group(group) and alpha > 0:
            name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_FLEX.value, flex) or f"number {flex}"
            raise UserError(f"flex {name!r}: `raycast` draws none that are visible; `gl` does")


def _require_seen_as_scanned(engine: MujocoEngine, ids: NDArray[np.int64]) -> None:
    """Checks that `mj_ray`, which knows no colours of geoms with a material, meets what is to be seen."""
    for geom in np.flatnonzero(unlike_scans(engine, ids)):
        name = engine.model.geom(geom).name or f"number {geom}"
        raise UserError(
            f"geom {name!r} and its material disagree on whether it is invisible (alpha 0): beside meshes, height"
            " fields and flexes `raycast` cannot draw that; `gl` and `warp` do"
        )


def _cast(caster: Caster, view: View, hits: Hits) -> None:
    """Fills a camera's part of direction, depth, geom and normal of `hits`."""
    aim(view, Poses(hits.pos, hits.mat, hits.tan), hits.direction)
    tan = hits.tan[:, view.index]
    axes = hits.mat[:, view.index] * np.stack([tan, tan, -np.ones_like(tan)], axis=1)[:, None]
    frames, found = (hits.pos[:, view.index], axes), (hits.depth, hits.geom)
    caster.cast(view.fan, hits.ids, frames, found, first=view.rays.start, hidden_body=view.hidden_body)
    decode(caster.shapes, view, hits)


@compiled
def _turn_normals(hits: tuple[NDArray[np.float64], ...], camera: int, first: int, out: NDArray[np.float32]) -> None:
    """Fills `out` [n, R, 3] with normals towards a camera, in its frame, by the rays from `first` on.

    `hits` are normal, direction and mat of `Hits`.
    """
    normals, directions, mats = hits
    num_worlds, num_rays, _ = out.shape
    for i in range(num_worlds):
        rays = slice(first, first + num_rays)
        normal, direction, mat = normals[i, rays], directions[i, rays], mats[i, camera]
        for ray in range(num_rays):
            x, y, z = normal[ray, 0], normal[ray, 1], normal[ray, 2]
            towards = -np.sign(x * direction[ray, 0] + y * direction[ray, 1] + z * direction[ray, 2])
            for axis in range(3):
                out[i, ray, axis] = towards * (x * mat[0, axis] + y * mat[1, axis] + z * mat[2, axis])
