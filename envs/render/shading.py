"""Colours for rays: from geom and surface normal to RGB in one table look-up.

A world's table holds the colours of every geom at `LEVELS` brightnesses from unlit to fully lit. Lambert's law gives
the brightness: every light shines along its direction as if it were far away, the headlight along the camera's axis.
Lights of different hues are mixed into one. Where there is no geom, the level is the elevation of the view and the
colours are those of the sky.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.sky import sky_colours
from robossl.envs.render.textures import TextureBank, per_world

LEVELS = 256
_DEFAULT_RGBA = np.array([0.5, 0.5, 0.5, 1.0], np.float32)  # MuJoCo's sign for "take the material's colour"
_HALF = LEVELS / 2 - 0.01  # so that the zenith is still below LEVELS
_RAMP = np.linspace(0.0, 1.0, LEVELS, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Hits:
    """What the R rays of a camera hit in n worlds.

    Attributes:
        ids: [n] the worlds.
        start: [n, 3] where all rays begin.
        axis: [n, 3] the camera's viewing direction.
        direction: [n, R, 3] of length 1 along the axis.
        inverse_length: [1 or n, R] of the directions.
        depth: [n, R] along the axis, -1 where nothing is hit.
        geom: [n, R], -1 where nothing is hit.
        pixel: [n] width of a pixel at depth 1.
        normal: [n, R, 3] of the surfaces, 0 where nothing is hit.
    """

    ids: NDArray[np.int64]
    start: NDArray[np.float64]
    axis: NDArray[np.float64]
    direction: NDArray[np.float64]
    inverse_length: NDArray[np.float64]
    depth: NDArray[np.float64]
    geom: NDArray[np.int32]
    pixel: NDArray[np.float64]
    normal: NDArray[np.float64]


class Shader:
    """Knows the colours and lights of an engine's worlds."""

    def __init__(self, engine: MujocoEngine) -> None:
        self._engine = engine
        self._textures = TextureBank(engine)
        self._light_dir = engine.view("light_xdir")
        self._version = np.full(engine.num_worlds, -1, np.int64)
        num_rows = engine.model.ngeom + 1  # row 0 is the sky: geom -1
        self._table = np.zeros((engine.num_worlds, num_rows, LEVELS), np.uint32)
        self._sky = sky_colours(engine.model, LEVELS)
        self._weight = np.zeros((engine.num_worlds, engine.model.nlight + 1, 1))

    def refresh(self, ids: NDArray[np.int64]) -> None:
        """Follows model values that changed since the last call.

        Raises:
            UserError: if a geom got a texture that cannot be drawn.
        """
        changed = ids[self._version[ids] != self._engine.model_version[ids]]
        if len(changed):
            self._mix_colours(changed)
            self._textures.refresh(changed)
            self._version[changed] = self._engine.model_version[changed]

    def shade(self, hits: Hits, out: NDArray[np.uint8]) -> None:
        """Fills `out` [n, H, W, 3]."""
        # The place in the table, (world * rows + geom + 1) * LEVELS + level, in as few passes as numpy allows.
        level = self._brightness(hits)
        scratch = np.empty_like(level)
        sky = hits.geom < 0
        if sky.any():
            np.multiply(hits.direction[..., 2], hits.inverse_length * _HALF, out=scratch)
            scratch += _HALF
            np.copyto(level, scratch, where=sky)
        level += np.multiply(hits.geom, float(LEVELS), out=scratch)
        level += ((hits.ids * self._table.shape[1] + 1) * LEVELS)[:, None]
        packed = self._table.reshape(-1).take(level.astype(np.intp), mode="wrap")
        self._textures.apply(hits, packed)
        rgbx = packed.view(np.uint8).reshape(*packed.shape, 4)
        cv2.cvtColor(rgbx, cv2.COLOR_RGBA2RGB, dst=out.reshape(*packed.shape, 3))

    def _brightness(self, hits: Hits) -> NDArray[np.float64]:
        """Returns [n, R] in [0, LEVELS - 1]: the share of all light that reaches a surface."""
        towards = np.concatenate([self._light_dir[hits.ids], hits.axis[:, None]], axis=1) * self._weight[hits.ids]
        if not np.isfinite(towards.sum()):  # of worlds that diverged
            towards = np.nan_to_num(towards)
        lit = np.matmul(towards, hits.normal.transpose(0, 2, 1))  # [n, lights, R]
        np.maximum(lit, 0.0, out=lit)
        level = lit[:, 0]
        for light in range(1, lit.shape[1]):
            level += lit[:, light]
        return np.asarray(level)

    def _mix_colours(self, ids: NDArray[np.int64]) -> None:
        """Fills the tables of n worlds."""
        diffuse, ambient = self._lights(ids)
        total = diffuse.sum(axis=1)  # [n, 3]
        brightness = diffuse.mean(axis=2, keepdims=True)
        self._weight[ids] = (1 - LEVELS) * brightness / np.maximum(brightness.sum(axis=1, keepdims=True), 1e-6)
        rgb, emission = self._surfaces(ids)
        pixels = np.empty((len(ids), *self._table.shape[1:], 4), np.uint8)
        for channel in range(3):
            light = (emission + ambient[:, channel, None])[..., None] + (total[:, channel, None] * _RAMP)[:, None]
            np.minimum(light, 1.0, out=light)
            light *= 255.0 * rgb[..., channel, None]
            light += 0.5
            pixels[:, 1:, :, channel] = light
        self._table[ids] = pixels.view(np.uint32)[..., 0]
        self._table[ids, 0] = self._sky

    def _lights(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns the diffuse colours [n, lights, 3] of all lights, the headlight last, and ambient light [n, 3]."""
        head = self._engine.model.vis.headlight
        on = per_world(self._engine, "light_active", ids).astype(np.float32)[..., None]
        lights = []
        for kind in ("diffuse", "ambient"):
            own = np.broadcast_to(getattr(head, kind) * np.float32(head.active != 0), (len(ids), 1, 3))
            lights.append(np.concatenate([per_world(self._engine, f"light_{kind}", ids) * on, own], axis=1))
        return lights[0], lights[1].sum(axis=1)

    def _surfaces(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns colours [n, ngeom, 3] and emission [n, ngeom]; a geom's own colour wins over its material's."""
        rgba = per_world(self._engine, "geom_rgba", ids)
        rgb, emission = np.array(rgba[..., :3]), np.zeros(rgba.shape[:2], np.float32)
        material = per_world(self._engine, "geom_matid", ids)
        if (material >= 0).any():
            world, geom = np.nonzero(material >= 0)
            index = material[world, geom]
            emission[world, geom] = per_world(self._engine, "mat_emission", ids)[world, index]
            plain = (rgba[world, geom] == _DEFAULT_RGBA).all(axis=1)
            world, geom, index = world[plain], geom[plain], index[plain]
            rgb[world, geom] = per_world(self._engine, "mat_rgba", ids)[world, index, :3]
        return rgb, emission
