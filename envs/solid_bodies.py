"""Inertia and reach of solid primitives, for bodies whose size differs between worlds."""

from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError

_SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value)
    for name in ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
)

_PLANE = mujoco.mjtGeom.mjGEOM_PLANE.value
_MADE_OF = {
    mujoco.mjtGeom.mjGEOM_MESH.value: "a mesh",
    mujoco.mjtGeom.mjGEOM_HFIELD.value: "a height field",
    mujoco.mjtGeom.mjGEOM_SDF.value: "a distance field",
}
PRIMITIVES = _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX


class SolidBodies:
    """Knows what a model's inertias become where masses and sizes are others, and of which bodies nobody knows."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def inertia(
        self, mass: NDArray[np.float64] | None, size: NDArray[np.float64] | None, num_worlds: int
    ) -> NDArray[np.float64]:
        """Returns the inertias [n, nbody, 3] of all bodies, scaled as their masses and sizes have been.

        Args:
            mass: [n, nbody]; the model's where None.
            size: [n, ngeom, 3]; the model's where None.
            num_worlds: n.
        """
        model = self._model
        inertia = np.repeat(model.body_inertia[None], num_worlds, axis=0)
        if mass is not None:
            inertia *= (mass / np.where(model.body_mass > 0, model.body_mass, 1.0))[..., None]
        if size is not None:
            for body, geom in self._geoms.items():
                kind = model.geom_type[geom]
                inertia[:, body] *= inertia_per_mass(kind, size[:, geom]) / inertia_per_mass(
                    kind, model.geom_size[geom]
                )
        return np.asarray(inertia)

    def require_variable(self, field: str, changed: NDArray[np.bool_]) -> None:
        """Lets only geoms change shape that have sizes, on bodies that no force moves or whose inertia can follow.

        Args:
            field: of geoms.
            changed: [n, ngeom, ...] which of its numbers become others.

        Raises:
            UserError: naming another geom.
        """
        model = self._model
        for geom in np.flatnonzero(changed.any(axis=(0, 2))):
            body, kind = model.geom_bodyid[geom], model.geom_type[geom]
            why = None
            if field == "geom_size" and kind not in (_PLANE, *PRIMITIVES):
                why = f"it is made of {_MADE_OF.get(kind, 'other data')}, which has the size that it was compiled with"
            elif model.body_dofnum[model.body_weldid[body]] and not (field == "geom_size" and body in self._geoms):
                why = "its body moves, and its inertia would not follow"
            if why:
                raise UserError(f"{field} of geom {model.geom(geom).name!r} cannot be randomised: {why}")

    def require_variable_centre(self, changed: NDArray[np.bool_]) -> None:
        """Lets only bodies have another centre of mass that are not compiled as if it were where their frame is.

        Args:
            changed: [nbody, 3] which numbers of `body_ipos` become others.

        Raises:
            UserError: naming another body.
        """
        model = self._model
        for body in 1 + np.flatnonzero(changed[1:].any(axis=1) & (model.body_simple[1:] != 0)):
            raise UserError(
                f"body_ipos of body {model.body(body).name!r} cannot be randomised: it is compiled as simple, unless"
                " its MJCF says simple='false'"
            )

    @cached_property
    def _geoms(self) -> dict[int, int]:
        """{body: its only geom} of the moving bodies whose inertia is known for any size."""
        moving = np.flatnonzero(self._model.body_dofnum[self._model.body_weldid] * self._model.body_mass)
        geoms = {body: solid_geom(self._model, body) for body in moving.tolist()}
        return {body: geom for body, geom in geoms.items() if geom is not None}


def solid_geom(model: Any, body: int) -> int | None:
    """Returns the geom that a body consists of, if it is one primitive about whose axes the body's inertia is given."""
    geoms = np.flatnonzero(model.geom_bodyid == body)
    if len(geoms) != 1 or model.geom_type[geoms[0]] not in PRIMITIVES:
        return None
    is_centred = np.allclose(model.geom_pos[geoms[0]], model.body_ipos[body])
    is_aligned = np.allclose(model.geom_quat[geoms[0]], model.body_iquat[body])
    return int(geoms[0]) if is_centred and is_aligned else None


def reach(kind: int, size: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns how far [...] a primitive of MuJoCo's `size` [..., 3] reaches from its middle along an axis, both ways.

    Args:
        kind: of `PRIMITIVES`.
        size: of the primitive.
        axis: [..., 3] of length 1, as the primitive sees it.
    """
    along = np.abs(axis)
    a, b, z = size[..., 0], size[..., 1], along[..., 2]
    if kind == _SPHERE:
        return np.broadcast_to(a, z.shape)
    if kind == _CAPSULE:
        return np.asarray(a + b * z)
    if kind == _CYLINDER:
        return np.asarray(a * np.hypot(along[..., 0], along[..., 1]) + b * z)
    parts = size * along
    return np.asarray(parts.sum(axis=-1) if kind == _BOX else np.sqrt((parts * parts).sum(axis=-1)))


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
