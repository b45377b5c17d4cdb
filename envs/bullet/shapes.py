"""Points whose convex hull stands for a geom that Bullet has no primitive for: meshes and ellipsoids."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

_NUM_POINTS = 800  # of an ellipsoid: it rolls 12 to 14 % too short; with 2,000 7 to 10 %, at twice a contact's cost
_ROUND = 1e-3  # share by which radii of what rolls better as a ball may differ
_MESH, _ELLIPSOID = mujoco.mjtGeom.mjGEOM_MESH.value, mujoco.mjtGeom.mjGEOM_ELLIPSOID.value


def is_hull(model: Any, geom: int) -> bool:
    """Tells whether a geom is a mesh or an ellipsoid, but for one that is a ball."""
    radii = model.geom_size[geom]
    is_egg = model.geom_type[geom] == _ELLIPSOID and np.ptp(radii) > _ROUND * radii.max()
    return bool(is_egg or model.geom_type[geom] == _MESH)


def hull_points(model: Any, geom: int) -> NDArray[np.float64]:
    """Returns points [n, 3] in the geom's frame: a mesh's vertices, or points evenly over an ellipsoid."""
    if model.geom_type[geom] == _MESH:
        mesh = model.geom_dataid[geom]
        first = model.mesh_vertadr[mesh]
        return np.unique(model.mesh_vert[first : first + model.mesh_vertnum[mesh]].astype(np.float64), axis=0)
    return np.asarray(model.geom_size[geom] * _sphere(_NUM_POINTS))


def _sphere(count: int) -> NDArray[np.float64]:
    """Spreads points [count, 3] over the unit sphere along a golden spiral."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height * height)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
