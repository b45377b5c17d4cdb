"""Draws with MuJoCo's OpenGL renderer, one context per thread; shadows, reflections and multisampling are off.

Fast on a GPU, and on few small pictures without one; its pixels depend on the driver. Sites and tendons are not drawn,
so that segmentation and depth mean the same as with `raycast`.
"""

import copy
import os
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs, UserError
from robossl.envs.forks import end_in_children
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.gl_context import open_context
from robossl.envs.render.renderer import blank, camera_index, wanted

_SEGMENT, _IDCOLOR = mujoco.mjtRndFlag.mjRND_SEGMENT.value, mujoco.mjtRndFlag.mjRND_IDCOLOR.value
_SKYBOX = mujoco.mjtRndFlag.mjRND_SKYBOX.value
_PLANE, _GEOM = mujoco.mjtGeom.mjGEOM_PLANE.value, mujoco.mjtObj.mjOBJ_GEOM.value
_OFFSCREEN = mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value

_dropped = SimpleQueue[Any]()
"""Processes, threads and painters of renderers that nobody has closed. The garbage collector, which may run within
whatever a thread does, cannot wait for other threads: the next renderer frees them."""


class GLRenderer:
    """See `Renderer`."""

    name = "gl"
    version = 2
    modalities = ("rgb", "depth", "segmentation")
    engine_type = MujocoEngine

    def __init__(self, engine: MujocoEngine, cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> None:
        self._engine = engine
        self._wanted = wanted(cameras, keys)
        self._cameras = [camera for camera in cameras if camera.name in self._wanted]
        for camera in self._cameras:
            tells_depth = "depth" in self._wanted[camera.name]
            if tells_depth and engine.model.cam_projection[camera_index(engine.model, camera)] != 0:
                raise UserError(f"camera {camera.name!r} is orthographic: the depth that `gl` tells is of perspective")
        _end_dropped()
        self._worlds: dict[int, _World] = {}
        self._threads: list[ThreadPoolExecutor] = []
        self._painters: list[Painter] = []
        self._begin_painters(1)  # tells whether OpenGL starts
        weakref.finalize(self, _dropped.put, (os.getpid(), self._threads, self._painters)).atexit = False
        end_in_children(self)

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """See `Renderer.render`."""
        ids = np.arange(self._engine.num_worlds) if ids is None else np.asarray(ids)
        pictures = {
            f"{modality}_{camera.name}": blank(modality, len(ids), camera)
            for camera in self._cameras
            for modality in self._wanted[camera.name]
        }
        worlds = [self._world(int(world)) for world in ids]  # a Batch serves one thread at a time: copied out first
        num_threads = min(self._engine.num_threads, len(ids))
        self._begin_painters(num_threads)
        rows = iter(range(len(ids)))  # each thread takes the next: on a busy machine some cores are slower
        jobs = [
            thread.submit(self._draw, painter, rows, worlds, pictures)
            for thread, painter in zip(self._threads[:num_threads], self._painters, strict=False)
        ]
        for job in jobs:
            job.result()
        return pictures

    def close(self) -> None:
        """See `Renderer.close`."""
        _end(self._threads, self._painters)
        self._threads.clear()
        self._painters.clear()

    def _begin_painters(self, count: int) -> None:
        """Opens contexts until there are so many: one takes a third of a second and megabytes, and many draw little."""
        while len(self._painters) < count:
            thread = ThreadPoolExecutor(1)  # a context stays in its thread
            try:
                painter = thread.submit(Painter, plain(self._engine.model, self._cameras)).result()
            except BaseException:
                thread.shutdown()
                raise
            self._threads.append(thread)
            self._painters.append(painter)

    def _world(self, world: int) -> "_World":
        """Returns the world's current model and state; its model is a copy only if it differs from the others'."""
        engine = self._engine
        if world not in self._worlds:
            self._worlds[world] = _World(engine.model, mujoco.MjData(engine.model), version=0)
        entry = self._worlds[world]
        if entry.version != engine.model_version[world]:
            own = None if entry.model is engine.model else entry.model
            entry.model = engine.batch.get_model(world, own)
            entry.version = int(engine.model_version[world])
        engine.batch.get_data(world, entry.data)
        return entry

    def _draw(self, painter: "Painter", rows: Iterator[int], worlds: list["_World"], pictures: Obs) -> None:
        for row in rows:
            painter.enter(worlds[row].model, worlds[row].data)
            for camera in self._cameras:
                views = {modality: pictures[f"{modality}_{camera.name}"][row] for modality in self._wanted[camera.name]}
                painter.draw(camera, views)


@dataclass(slots=True)
class _World:
    model: mujoco.MjModel
    data: mujoco.MjData
    version: int


class Painter:
    """One thread's graphics context.

    Attributes:
        context: MuJoCo's; its pixels are those of the off-screen buffer.
        scene: what is drawn.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._gl = open_context(model.vis.global_.offwidth, model.vis.global_.offheight)
        self.context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(_OFFSCREEN, self.context)
        self.context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self.scene = new_scene(model)
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = self._option.tendongroup[:] = 0
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._model: Any = model
        self._data: Any = None
        self._planes = np.flatnonzero(model.geom_type == _PLANE)
        self._baked = model.geom_size[self._planes, :2].copy()  # as the context built them
        self._resized = self._planes[:0]

    def enter(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Chooses the world to draw and computes where its things are.

        Raises:
            UserError: if a plane without end has another size than it began with.
        """
        self._model, self._data = model, data
        self._resized = self._planes[(model.geom_size[self._planes, :2] != self._baked).any(axis=1)]
        self._require_ends()
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        self.context.mat_texid[: model.mat_texid.size] = model.mat_texid.ravel()  # it came from the first model

    def look(self, camera: CameraSpec) -> mujoco.MjrRect:
        """Fills the scene with what a camera sees; returns where its picture is in the buffer."""
        self._camera.fixedcamid = camera_index(self._model, camera)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._camera, everything, self.scene)
        for item in self.scene.geoms[: self.scene.ngeom] if len(self._resized) else ():
            if item.objid in self._resized and item.objtype == _GEOM:
                item.dataid = -1  # MuJoCo's sign to scale a square, in place of what the context built
        for eye in self.scene.camera if camera.shift_m else ():
            eye.pos += camera.shift_m * np.cross(eye.forward, eye.up)
        return mujoco.MjrRect(0, 0, camera.width, camera.height)

    def draw(self, camera: CameraSpec, views: dict[str, NDArray[Any]]) -> None:
        """Fills {modality: [H, W, C]} of one camera."""
        rect = self.look(camera)
        colours = np.empty((camera.height, camera.width, 3), np.uint8)
        if "rgb" in views:
            self._render(rect, colours, None)
            views["rgb"][...] = colours[::-1]
        if "depth" in views or "segmentation" in views:  # the sky has colours, but is at no depth and no geom
            depth = np.empty((camera.height, camera.width), np.float32) if "depth" in views else None
            self.scene.flags[[_SEGMENT, _IDCOLOR, _SKYBOX]] = True, True, False
            self._render(rect, colours, depth)
            self.scene.flags[[_SEGMENT, _IDCOLOR, _SKYBOX]] = False, False, True
            if depth is not None:
                views["depth"][..., 0] = self._metres(depth[::-1])
            if "segmentation" in views:
                views["segmentation"][..., 0] = self._geoms(colours[::-1])

    def close(self) -> None:
        """Frees the context, in the thread that made it."""
        self.context.free()
        self._gl.free()

    def _require_ends(self) -> None:
        for geom in self._resized:
            ends = self._model.geom_size[geom, :2], self._baked[self._planes == geom]
            if any((sizes <= 0).any() for sizes in ends):
                name = self._model.geom(geom).name or f"number {geom}"
                raise UserError(f"geom {name!r} is a plane without end: `gl` cannot change its size, `raycast` can")

    def _render(self, rect: mujoco.MjrRect, colours: NDArray[np.uint8], depth: NDArray[np.float32] | None) -> None:
        mujoco.mjr_render(rect, self.scene, self.context)
        mujoco.mjr_readPixels(colours, depth, rect, self.context)

    def _metres(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undoes the projection: MuJoCo's depth buffer is reversed, 1 at the near plane and 0 at the far one."""
        near = self._model.vis.map.znear * self._model.stat.extent
        far = self._model.vis.map.zfar * self._model.stat.extent
        metres = near * far / (near + depth.astype(np.float64) * (far - near))
        return np.where(depth > 0.0, metres, 0.0).astype(np.float32)

    def _geoms(self, colours: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Decodes segment numbers, which MuJoCo draws as colours; 0 is the background."""
        table = np.full(self.scene.ngeom + 1, -1, np.int32)
        for item in self.scene.geoms[: self.scene.ngeom]:
            if item.segid >= 0 and item.objtype == _GEOM:
                table[item.segid + 1] = item.objid
        return table[colours.astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], np.int32)]


def _end(threads: list[ThreadPoolExecutor], painters: list["Painter"]) -> None:
    for thread, painter in zip(threads, painters, strict=True):
        thread.submit(painter.close).result()
        thread.shutdown()


def _end_dropped() -> None:
    """Frees the contexts of renderers that nobody has closed; a forked child has none of its parent's."""
    for _ in range(_dropped.qsize()):
        with suppress(Empty):
            process, threads, painters = entry = _dropped.get_nowait()
            if process == os.getpid():
                _end(threads, painters)
            else:
                _dropped.put(entry)


def plain(model: mujoco.MjModel, cameras: Sequence[CameraSpec]) -> mujoco.MjModel:
    """Returns a copy for graphics contexts: no shadows, no multisampling, a buffer just large enough."""
    model = copy.copy(model)
    model.vis.quality.shadowsize = model.vis.quality.offsamples = 0
    model.vis.global_.offwidth = max((camera.width for camera in cameras), default=1)
    model.vis.global_.offheight = max((camera.height for camera in cameras), default=1)
    return model


def new_scene(model: mujoco.MjModel) -> mujoco.MjvScene:
    """Returns an empty scene without shadows and reflections."""
    scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 1000)
    for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
        scene.flags[flag.value] = False
    return scene
