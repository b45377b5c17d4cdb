"""Modalities computed from depth and segmentation: ids of bodies and of whole objects, and exact optical flow."""

import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.poses import CameraPoses, LastPoses
from robossl.envs.render.renderer import Renderer, require_fovy, split_key, wanted

SOURCES = {"bodies": ("segmentation",), "objects": ("segmentation",), "flow": ("depth", "segmentation")}
"""What each of these modalities is computed from."""


class DerivedRenderer:
    """See `Renderer`; draws with another one and computes the rest.

    Args:
        engine: whose worlds are drawn.
        base: draws all that `base_keys` names.
        cameras: the model's cameras with their picture sizes.
        keys: the pictures wanted.
        last: where things were when the last picture was taken; only flow needs it.

    Raises:
        UserError: if flow is wanted of a camera whose projection it does not know.
    """

    def __init__(
        self,
        engine: MujocoEngine,
        base: Renderer,
        cameras: tuple[CameraSpec, ...],
        keys: tuple[str, ...],
        last: LastPoses | None,
    ) -> None:
        self.name, self.version = base.name, base.version
        self.modalities = (*base.modalities, *SOURCES)
        self._engine, self._base, self._last = engine, base, last
        modalities = wanted(cameras, keys)
        self._cameras = tuple(camera for camera in cameras if camera.name in modalities)
        for camera in self._cameras:
            if "flow" in modalities[camera.name]:
                require_fovy(engine.model, camera, "flow")
        self._keys = keys
        self._poses = CameraPoses(engine, self._cameras)
        self._geoms = engine.view("geom_xpos"), engine.view("geom_xmat")
        body = np.append(engine.model.geom_bodyid, -1)  # the last is for geom -1: nothing
        self._ids = {"bodies": body, "objects": np.append(engine.model.body_rootid, -1)[body]}

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """See `Renderer.render`."""
        drawn = self._base.render(ids)
        pictures = {}
        for key in self._keys:
            modality, name = split_key(key)
            if modality in self._ids:
                pictures[key] = self._ids[modality].astype(np.int32)[drawn[f"segmentation_{name}"]]
            elif modality == "flow":
                rows = np.arange(self._engine.num_worlds) if ids is None else np.asarray(ids, np.int64)
                pictures[key] = self._flow(name, rows, drawn[f"depth_{name}"], drawn[f"segmentation_{name}"])
            else:
                pictures[key] = drawn[key]
        return pictures

    def close(self) -> None:
        """See `Renderer.close`."""
        self._base.close()

    def _flow(
        self, name: str, ids: NDArray[np.int64], depth: NDArray[np.float32], geom: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Returns [n, H, W, 2]; 0 where what is seen was behind the camera."""
        camera = [camera.name for camera in self._cameras].index(name)
        turn, shift = self._motions(camera, ids)
        height, width = depth.shape[1:3]
        tan = self._poses.now(ids)[2][:, camera, None, None]
        x = np.broadcast_to((2 * np.arange(width) + 1 - width) / height, (height, width))
        y = np.broadcast_to(((height - 1 - 2 * np.arange(height)) / height)[:, None], (height, width))
        distance = np.where(geom < 0, 1.0, depth)[..., 0].astype(np.float64)
        here = np.stack([distance * x * tan, distance * y * tan, -distance], axis=-1)
        world = np.arange(len(ids))[:, None, None]
        turn, shift = turn[world, geom[..., 0]], shift[world, geom[..., 0]]
        before = [(turn[..., i, :] * here).sum(axis=-1) + shift[..., i] for i in range(3)]
        ahead = np.where(before[2] < 0, -before[2], np.inf)
        flow = np.empty((*depth.shape[:3], 2), np.float32)
        flow[..., 0] = np.where(before[2] < 0, (x - before[0] / (ahead * tan)) * (height / 2), 0.0)
        flow[..., 1] = np.where(before[2] < 0, (before[1] / (ahead * tan) - y) * (height / 2), 0.0)
        return flow

    def _motions(self, camera: int, ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns what takes points on each geom from the camera's frame now to its frame then.

        Returns:
            Rotations [n, ngeom + 1, 3, 3] and translations [n, ngeom + 1, 3]; the last ones are for what is infinitely
            far away.
        """
        assert self._last is not None
        pos, mat, _ = self._poses.now(ids)
        pos, mat = pos[:, None, camera], mat[:, None, camera]
        pos_then, mat_then = (part[:, None, camera] for part in self._poses.placed(*self._last.cameras(ids)))
        geom_pos, geom_mat = self._geoms[0][ids], self._geoms[1][ids].reshape(len(ids), -1, 3, 3)
        geom_pos_then, geom_mat_then = self._last.geoms(ids)
        turned = geom_mat_then @ _transposed(geom_mat)  # in the world
        moved = geom_pos_then - (turned @ geom_pos[..., None])[..., 0]
        back = _transposed(mat_then)
        turn = back @ turned @ mat
        shift = back @ ((turned @ pos[..., None])[..., 0] + moved - pos_then)[..., None]
        sky = back @ mat
        return np.concatenate([turn, sky], axis=1), np.concatenate([shift[..., 0], np.zeros_like(pos)], axis=1)


def base_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the pictures that have to be drawn for the pictures `keys`."""
    drawn: dict[str, None] = {}
    for key in keys:
        modality, camera = split_key(key)
        drawn |= dict.fromkeys(f"{source}_{camera}" for source in SOURCES.get(modality, (modality,)))
    return tuple(drawn)


def _transposed(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    return matrices.swapaxes(-1, -2)
