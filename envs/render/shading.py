"""Colours for rays: from geom and surface normal to RGB in one table look-up.

A world's table holds the colours of every geom at `LEVELS` brightnesses from unlit to fully lit. Lambert's law gives
the brightness: a directional light shines along its direction, the headlight along the camera's axis; spots and points
of light shine from where they are, with cone and attenuation (their ambient part is the same everywhere). A colour
saturates as OpenGL's does, channel by channel and before its texture. Lights of different hues are mixed into
one. Where there is no geom, the level is the elevation of the view and the colours are those of the sky.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import NO_COLOUR
from robossl.envs.render.rays import Hits, View
from robossl.envs.render.sky import sky_colours
from robossl.envs.render.textures import TextureBank
from robossl.envs.world_values import per_world

LEVELS = 256
_HALF = LEVELS / 2 - 0.01  # so that the zenith is still below LEVELS
_SPOT, _POINT = mujoco.mjtLightType.mjLIGHT_SPOT.value, mujoco.mjtLightType.mjLIGHT_POINT.value
_RAMP = np.linspace(0.0, 1.0, LEVELS, dtype=np.float32)

Vector = tuple[float, float, float]


class Shader:
    """Knows the colours and lights of an engine's worlds."""

    def __init__(self, engine: MujocoEngine) -> None:
        self._engine = engine
        self._textures = TextureBank(engine)
        self._light_dir = engine.view("light_xdir")
        self._near = np.flatnonzero(np.isin(engine.model.light_type, (_SPOT, _POINT)))
        self._light_pos = engine.view("light_xpos") if len(self._near) else self._light_dir
        self._forms = _forms(engine.model, self._near)
        self._version = np.full(engine.num_worlds, -1, np.int64)
        num_rows = engine.model.ngeom + 1  # row 0 is the sky: geom -1
        self._table = np.zeros((engine.num_worlds, num_rows, LEVELS, 3), np.uint8)
        self._table[:, 0] = sky_colours(engine.model, LEVELS)
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

    def shade(self, view: View, hits: Hits, out: NDArray[np.uint8]) -> None:
        """Fills a camera's pictures `out` [n, H, W, 3]."""
        axis, ids, near = -hits.mat[:, view.index, None, :, 2], hits.ids, self._near
        towards = np.concatenate([self._light_dir[ids], axis], axis=1) * self._weight[ids]
        lamps = self._light_pos[ids][:, near], towards[:, near], self._forms
        towards = np.delete(towards, near, axis=1) if len(near) else towards
        pixels = out.reshape(len(out), -1, 3)
        known = ids, hits.geom, hits.normal, hits.direction, hits.pos[:, view.index], hits.depth
        _shade(known, view.rays.start, towards, lamps, self._table, pixels)
        self._textures.apply(view, hits, pixels)

    def _mix_colours(self, ids: NDArray[np.int64]) -> None:
        """Fills the tables of n worlds."""
        diffuse, ambient = self._lights(ids)
        total = diffuse.sum(axis=1)  # [n, 3]
        brightness = diffuse.mean(axis=2, keepdims=True)
        self._weight[ids] = (1 - LEVELS) * brightness / np.maximum(brightness.sum(axis=1, keepdims=True), 1e-6)
        _mix(ids, self._surfaces(ids), (total, ambient), self._table)

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
            plain = (rgba[world, geom] == NO_COLOUR).all(axis=1)
            world, geom, index = world[plain], geom[plain], index[plain]
            rgb[world, geom] = per_world(self._engine, "mat_rgba", ids)[world, index, :3]
        return rgb, emission


@compiled
def _mix(
    ids: NDArray[np.int64],
    surfaces: tuple[NDArray[np.float32], NDArray[np.float32]],
    lights: tuple[NDArray[np.float32], NDArray[np.float32]],
    table: NDArray[np.uint8],
) -> None:
    """Fills the tables of n worlds: surfaces of [n, ngeom, 3] and [n, ngeom] in diffuse and ambient light, [n, 3]."""
    rgb, emission = surfaces
    diffuse, ambient = lights
    for i in range(len(ids)):
        for geom in range(rgb.shape[1]):
            for channel in range(3):
                colour = np.float32(255.0) * rgb[i, geom, channel]
                unlit = emission[i, geom] + ambient[i, channel]
                for level in range(LEVELS):
                    lit = (unlit + diffuse[i, channel] * _RAMP[level]) * colour
                    table[ids[i], geom + 1, level, channel] = int(min(lit, np.float32(255.0)) + np.float32(0.5))


@compiled
def _shade(
    hits: tuple[NDArray[Any], ...],
    first: int,
    towards: NDArray[np.float64],
    lamps: tuple[NDArray[Any], ...],
    table: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Fills `out` [n, R, 3] by the rays from `first` on.

    Args:
        hits: ids, geom, normal and direction of `Hits`, the camera's pos [n, 3], and depth.
        first: ray of the camera.
        towards: [n, lights, 3] directions towards the lights, as long as each brightens a surface that faces it, in
            levels; what is not finite, of worlds that diverged, is taken for dark or bright.
        lamps: of lights that are near: places [n, K, 3], vectors [n, K, 3] as `towards` along their axes, `_forms`.
        table: [N, 1 + geoms, levels, 3] colours.
        out: filled.
    """
    ids, geoms, normals, directions, origins, depths = hits
    places, axes, forms = lamps
    num_worlds, num_rays, _ = out.shape
    has_lamps = len(forms) > 0
    for i in range(num_worlds):
        rays = slice(first, first + num_rays)
        geom, normal, direction, colours = geoms[i, rays], normals[i, rays], directions[i, rays], table[ids[i]]
        for ray in range(num_rays):
            level = 0.0
            if geom[ray] < 0:
                x, y, z = direction[ray, 0], direction[ray, 1], direction[ray, 2]
                level = z / np.sqrt(x * x + y * y + z * z) * _HALF + _HALF
            else:
                x, y, z = normal[ray, 0], normal[ray, 1], normal[ray, 2]
                for light in range(towards.shape[1]):
                    lit = towards[i, light, 0] * x + towards[i, light, 1] * y + towards[i, light, 2] * z
                    if lit > 0.0:
                        level += lit
                if has_lamps:
                    far, way, origin = depths[i, first + ray], direction[ray], origins[i]
                    place = origin[0] + far * way[0], origin[1] + far * way[1], origin[2] + far * way[2]
                    level += _lamplight(place, (x, y, z), places[i], axes[i], forms)
            level = min(level, LEVELS - 1.0) if level >= 0.0 else 0.0  # NaN is no index
            colour, pixel = colours[geom[ray] + 1, int(level)], out[i, ray]
            pixel[0], pixel[1], pixel[2] = colour[0], colour[1], colour[2]


@compiled
def _lamplight(place: Vector, normal: Vector, lamps: Any, axes: Any, forms: Any) -> float:
    """Returns by how many levels lamps brighten a place of a surface; see `_shade`."""
    level = 0.0
    for lamp in range(len(forms)):
        x, y, z = lamps[lamp, 0] - place[0], lamps[lamp, 1] - place[1], lamps[lamp, 2] - place[2]
        level += _lit((x, y, z), normal, (axes[lamp, 0], axes[lamp, 1], axes[lamp, 2]), forms[lamp])
    return level


@compiled
def _lit(to: Vector, normal: Vector, axis: Vector, form: NDArray[np.float64]) -> float:
    """Returns by how many levels a lamp at `to` from a surface brightens it.

    Args:
        to: in m.
        normal: of the surface.
        axis: against which the lamp shines, as long as it brightens what faces it from nearby, in levels.
        form: see `_forms`.
    """
    strength = np.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
    far = np.sqrt(to[0] * to[0] + to[1] * to[1] + to[2] * to[2])
    facing = (to[0] * normal[0] + to[1] * normal[1] + to[2] * normal[2]) / far if far > 0.0 else 0.0
    if not (strength > 0.0 and facing > 0.0):
        return 0.0
    within = (to[0] * axis[0] + to[1] * axis[1] + to[2] * axis[2]) / (far * strength)
    if within < form[0]:
        return 0.0
    cone = within ** form[1] if form[1] > 0.0 else 1.0
    return float(strength * facing * cone / (form[2] + form[3] * far + form[4] * far * far))


def _forms(model: mujoco.MjModel, lights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns how lamps shine, [K, 5]: cosine of the cone's edge, the cone's exponent, and attenuation."""
    is_spot = model.light_type[lights] == _SPOT
    edge = np.where(is_spot, np.cos(np.deg2rad(model.light_cutoff[lights])), -1.1)
    exponent = np.where(is_spot, model.light_exponent[lights], 0.0)
    return np.column_stack([edge, exponent, model.light_attenuation[lights]]).astype(np.float64)
