"""Inertia of solid primitives, for bodies whose size differs between worlds."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

_SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value)
    for name in ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
)


def solid_geom(model: Any, body: int) -> int | None:
    """Returns the geom that a body consists of, if it is one primitive about whose axes the body's inertia is given."""
    geoms = np.flatnonzero(model.geom_bodyid == body)
    if len(geoms) != 1 or model.geom_type[geoms[0]] not in (_SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX):
        return None
    is_centred = np.allclose(model.geom_pos[geoms[0]], model.body_ipos[body])
    is_aligned = np.allclose(model.geom_quat[geoms[0]], model.body_iquat[body])
    return int(geoms[0]) if is_centred and is_aligned else None


def inertia_per_mass(kind: int, size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the principal inertias [..., 3] of 1 kg of a primitive of MuJoCo's `size` [..., 3], of even density."""
    a, b, c = (np.asarray(size)[..., i] for i in range(3))
    if kind == _SPHERE:
        b = c = a
    if kind in (_SPHERE, _ELLIPSOID):
        return np.stack([b * b + c * c, a * a + c * c, a * a + b * b], axis=-1) / 5
    if kind == _BOX:
        return np.stack([b * b + c * c, a * a + c * c, a * a + b * b], axis=-1) / 3
    radius, half = a, b
    if kind == _CYLINDER:
        across = radius**2 / 4 + half**2 / 3
        return np.stack([across, across, radius**2 / 2], axis=-1)
    # A capsule is a cylinder and two half balls, whose own centres are 3/8 of the radius beyond its ends.
    ball = (4 / 3) * radius / ((4 / 3) * radius + 2 * half)  # share of the mass
    across = (1 - ball) * (radius**2 / 4 + half**2 / 3) + ball * (0.4 * radius**2 + half**2 + 0.75 * half * radius)
    along = (1 - ball) * radius**2 / 2 + ball * 0.4 * radius**2
    return np.stack([across, across, along], axis=-1)
