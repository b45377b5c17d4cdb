"""From the codes of what was hit to geoms and surface normals."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.casting import Shapes
from robossl.envs.compiled import compiled
from robossl.envs.render.rays import Hits, View

_CAPSULE, _ELLIPSOID, _CYLINDER = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value) for name in ("CAPSULE", "ELLIPSOID", "CYLINDER")
)
_CURVED = 6  # see `casting.caster.FACES`

Vector = tuple[float, float, float]


def decode(shapes: Shapes, view: View, hits: Hits) -> None:
    """Turns a camera's codes in `hits.geom` into geoms, -1 for none, and fills its normals unless they are empty."""
    ids, pos, _, _, direction, depth, code, normal = hits
    camera = view.index, view.rays.start, view.rays.stop - view.rays.start
    _decode(shapes, ids, camera, (pos, direction), (depth, code, normal))


@compiled
def _decode(shapes: Any, ids: NDArray[np.int64], camera: tuple[int, int, int], rays: Any, found: Any) -> None:
    kinds, _, geom_pos, geom_mat, sizes, _ = shapes
    index, first, num_rays = camera
    origins, directions = rays
    depths, codes, normals = found
    flat = np.zeros((len(kinds), 6, 3))
    for i in range(len(ids)):
        world, code = ids[i], codes[i, first : first + num_rays]
        if normals.shape[1] == 0:
            code >>= 3
            continue
        _fill_flat(geom_mat[world], flat)
        x0, y0, z0 = origins[i, index, 0], origins[i, index, 1], origins[i, index, 2]
        normal, depth, direction = normals[i, first:], depths[i, first:], directions[i, first:]
        for ray in range(num_rays):
            g, side = code[ray] >> 3, code[ray] & 7
            code[ray] = g
            if g < 0:
                normal[ray, 0], normal[ray, 1], normal[ray, 2] = 0.0, 0.0, 0.0
            elif side != _CURVED:
                normal[ray, 0], normal[ray, 1], normal[ray, 2] = flat[g, side, 0], flat[g, side, 1], flat[g, side, 2]
            else:
                far = depth[ray]
                x = x0 + far * direction[ray, 0] - geom_pos[world, g, 0]
                y = y0 + far * direction[ray, 1] - geom_pos[world, g, 1]
                z = z0 + far * direction[ray, 2] - geom_pos[world, g, 2]
                m = geom_mat[world, g]
                local = (
                    m[0] * x + m[3] * y + m[6] * z,
                    m[1] * x + m[4] * y + m[7] * z,
                    m[2] * x + m[5] * y + m[8] * z,
                )
                size = sizes[world, g, 0], sizes[world, g, 1], sizes[world, g, 2]
                n = _curved_normal(kinds[g], local, size)
                normal[ray, 0] = m[0] * n[0] + m[1] * n[1] + m[2] * n[2]
                normal[ray, 1] = m[3] * n[0] + m[4] * n[1] + m[5] * n[2]
                normal[ray, 2] = m[6] * n[0] + m[7] * n[1] + m[8] * n[2]


@compiled
def _fill_flat(mats: NDArray[np.float64], flat: NDArray[np.float64]) -> None:
    """Fills the normals [G, 6, 3] of the faces of boxes with orientations [G, 9]."""
    for g in range(len(flat)):
        for side in range(6):
            for axis in range(3):
                along = mats[g, 3 * axis + side // 2]
                flat[g, side, axis] = -along if side % 2 else along


@compiled
def _curved_normal(kind: int, at: Vector, size: Vector) -> Vector:
    """Returns the outward unit normal of a curved surface at a point of it, both in the shape's frame."""
    x, y, z = at
    if kind == _CYLINDER:
        z = 0.0
    elif kind == _CAPSULE:
        z -= min(max(z, -size[1]), size[1])
    elif kind == _ELLIPSOID:
        x, y, z = x / (size[0] * size[0]), y / (size[1] * size[1]), z / (size[2] * size[2])
    length = np.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length
