"""What rays can hit in every world: planes, boxes, spheres, ellipsoids, capsules and cylinders."""

from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import VISIBLE_GROUPS
from robossl.envs.render.textures import per_world

_KINDS = [
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value)
    for name in ("PLANE", "SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
]


class Shapes(NamedTuple):
    """The geoms of N worlds.

    Attributes:
        kind: [G] of `mjtGeom`.
        body: [G].
        pos, mat: [N, G, 3] and [N, G, 9], kept current by the engine.
        size: [N, G, 3].
        is_drawn: [N, G].
    """

    kind: NDArray[np.int64]
    body: NDArray[np.int64]
    pos: NDArray[np.float64]
    mat: NDArray[np.float64]
    size: NDArray[np.float64]
    is_drawn: NDArray[np.bool_]


def shapes_of(engine: MujocoEngine) -> Shapes:
    """Returns the geoms of an engine's worlds; none is drawn until `follow` was called."""
    model, shape = engine.model, (engine.num_worlds, engine.model.ngeom)
    return Shapes(
        kind=model.geom_type.astype(np.int64),
        body=model.geom_bodyid.astype(np.int64),
        pos=engine.view("geom_xpos"),
        mat=engine.view("geom_xmat"),
        size=np.zeros((*shape, 3)),
        is_drawn=np.zeros(shape, bool),
    )


def follow(shapes: Shapes, engine: MujocoEngine, ids: NDArray[np.int64]) -> None:
    """Follows model values of the worlds `ids`: sizes, and what is too clear to be hit, as in `mj_ray`."""
    material = per_world(engine, "geom_matid", ids)
    alpha = per_world(engine, "geom_rgba", ids)[..., 3]
    if engine.model.nmat:
        of_material = np.take_along_axis(per_world(engine, "mat_rgba", ids)[..., 3], np.maximum(material, 0), axis=1)
        alpha = np.where(material >= 0, of_material, alpha)
    shapes.is_drawn[ids] = _is_in_visible_group(engine.model) & (alpha != 0)
    shapes.size[ids] = per_world(engine, "geom_size", ids)


def can_cast(model: mujoco.MjModel) -> bool:
    """Tells whether all that is visible of a model has a shape that is known here."""
    return bool(np.isin(model.geom_type[_is_in_visible_group(model)], _KINDS).all()) and not model.nflex


def _is_in_visible_group(model: mujoco.MjModel) -> NDArray[np.bool_]:
    groups: NDArray[np.int64] = np.clip(model.geom_group, 0, len(VISIBLE_GROUPS) - 1)
    return np.asarray(VISIBLE_GROUPS, bool)[groups]
