"""Where the cameras of N worlds are, and where they and all geoms were at the last picture."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec, Tree
from robossl.envs.delayed_engine import undelayed
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.renderer import camera_index
from robossl.envs.world_values import own_or_shared

_FIELDS = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat")


class Poses(NamedTuple):
    """Where C cameras are in n worlds.

    Attributes:
        pos: [n, C, 3].
        mat: [n, C, 3, 3]: the columns point right, up and backwards.
        tan: [n, C] of half the vertical field of view.
    """

    pos: NDArray[np.float64]
    mat: NDArray[np.float64]
    tan: NDArray[np.float64]


class CameraPoses:
    """Knows positions, orientations and fields of view of cameras."""

    def __init__(self, engine: MujocoEngine, cameras: tuple[CameraSpec, ...]) -> None:
        self._engine = undelayed(engine)
        self._index = np.array([camera_index(engine.model, camera) for camera in cameras], np.int64)
        self._shift = np.array([camera.shift_m for camera in cameras])[:, None]
        self._pos, self._mat = engine.view("cam_xpos"), engine.view("cam_xmat")

    def now(self, ids: NDArray[np.int64]) -> Poses:
        """Returns where the cameras are in the worlds `ids`."""
        fovy = own_or_shared(self._engine, "cam_fovy", ids)
        tan = np.tan(np.deg2rad(fovy[:, self._index]) / 2)
        pos, mat = self.placed(self._pos[ids], self._mat[ids])
        return Poses(pos, mat, np.broadcast_to(tan, pos.shape[:2]).copy())

    def placed(
        self, cam_xpos: NDArray[np.float64], cam_xmat: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns [n, C, 3] positions and [n, C, 3, 3] orientations from those of all the model's cameras."""
        mat = cam_xmat.take(self._index, axis=1).reshape(len(cam_xmat), -1, 3, 3)
        pos = cam_xpos.take(self._index, axis=1) + self._shift * mat[..., 0]
        if not math.isfinite(pos.sum() + mat.sum()):  # of worlds that diverged; what they show no longer matters
            bad = ~(np.isfinite(pos).all(axis=-1) & np.isfinite(mat).all(axis=(-1, -2)))
            pos[bad], mat[bad] = 0.0, np.eye(3)
        return pos, mat


class LastPoses:
    """Remembers where geoms and cameras were at the last picture; at an episode's start, where they are.

    An engine that is not MuJoCo's has its `books` tell: in the same numbers as where things are when they are drawn.
    """

    def __init__(self, engine: Any) -> None:
        self._source = undelayed(engine)
        self._engine = self._source if isinstance(self._source, MujocoEngine) else self._source.books
        self._kept = {name: np.array(self._engine.view(name), np.float64) for name in _FIELDS}

    def keep(self, ids: NDArray[np.int64] | None = None) -> None:
        """Takes note of where everything in the worlds `ids` is now: before steps, and after every reset."""
        rows: Any = slice(None) if ids is None else ids
        if ids is not None and not len(ids):
            return
        if self._engine is not self._source:
            self._engine.set_state(self._source.get_state()[rows], ids)
        for name in _FIELDS:
            self._kept[name][rows] = self._engine.view(name)[rows]

    def geoms(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns [n, ngeom, 3] positions and [n, ngeom, 3, 3] orientations."""
        pos = self._kept["geom_xpos"][ids]
        return pos, self._kept["geom_xmat"][ids].reshape(*pos.shape, 3)

    def cameras(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns [n, ncam, 3] positions and [n, ncam, 9] orientations of the model's cameras."""
        return self._kept["cam_xpos"][ids], self._kept["cam_xmat"][ids]

    def get_state(self) -> Tree:
        """Returns what is remembered."""
        return {name: values.copy() for name, values in self._kept.items()}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        for name, values in state.items():
            self._kept[name][...] = values
