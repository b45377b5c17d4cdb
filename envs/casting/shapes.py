"""What rays can hit in every world: planes, boxes, spheres, ellipsoids, capsules and cylinders."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled
from robossl.envs.engine import Engine
from robossl.envs.mujoco_fields import VISIBLE_GROUPS

_KINDS = [
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value)
    for name in ("PLANE", "SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
]
_NO_COLOUR = np.array([0.5, 0.5, 0.5, 1.0], np.float32)  # of a geom: MuJoCo's sign for "take the material's"


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


def shapes_of(engine: Engine) -> Shapes:
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


def follow(shapes: Shapes, engine: Engine, ids: NDArray[np.int64], *, is_picture: bool) -> None:
    """Follows model values of the worlds `ids`: sizes, and what is too clear to be hit.

    Rays of scanners pass through what `mj_ray` lets them pass, those of pictures through what MuJoCo's renderer omits:
    the two differ in whether a geom's own alpha counts beside its material's.
    """
    values = [_own_or_shared(engine, field) for field in ("geom_rgba", "geom_matid", "mat_rgba", "geom_size")]
    _follow(ids, values[0], values[1], values[2], values[3], _is_in_visible_group(engine.model), is_picture, shapes)


def unlike_scans(engine: Engine, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tells which geoms pictures show and rays of `mj_ray` pass through, or the other way round, in a world of `ids`.

    Returns:
        [G].
    """
    model, rgba, material = engine.model, per_world(engine, "geom_rgba", ids), per_world(engine, "geom_matid", ids)
    if not model.nmat:
        return np.zeros(model.ngeom, bool)
    colour = per_world(engine, "mat_rgba", ids)[..., 3]
    materials = np.take_along_axis(colour, np.clip(material, 0, model.nmat - 1), axis=1)
    is_own = (rgba != _NO_COLOUR).any(axis=2) & (material >= 0)
    return np.asarray((is_own & ((rgba[..., 3] == 0) != (materials == 0))).any(axis=0)) & _is_in_visible_group(model)


def per_world(engine: Engine, field: str, ids: NDArray[np.int64]) -> NDArray[Any]:
    """Returns the values [n, ...] that a model field has in the worlds `ids`."""
    own = engine.own_values(field)
    if own is not None:
        return np.asarray(own[ids])
    shared = getattr(engine.model, field)
    return np.broadcast_to(shared, (len(ids), *shared.shape))


def can_cast(model: mujoco.MjModel) -> bool:
    """Tells whether all that is visible of a model has a shape that is known here."""
    return bool(np.isin(model.geom_type[_is_in_visible_group(model)], _KINDS).all()) and not model.nflex


def _is_in_visible_group(model: mujoco.MjModel) -> NDArray[np.bool_]:
    groups: NDArray[np.int64] = np.clip(model.geom_group, 0, len(VISIBLE_GROUPS) - 1)
    return np.asarray(VISIBLE_GROUPS, bool)[groups]


def _own_or_shared(engine: Engine, field: str) -> NDArray[Any]:
    """Returns a model field of all worlds, [N, ...], or [1, ...] where they share it."""
    own = engine.own_values(field)
    return getattr(engine.model, field)[None] if own is None else own


@compiled
def _follow(
    ids: NDArray[np.int64],
    rgba: NDArray[np.float32],
    material: NDArray[np.int32],
    material_rgba: NDArray[np.float32],
    size: NDArray[np.float64],
    is_in_group: NDArray[np.bool_],
    is_picture: bool,
    shapes: Any,
) -> None:
    _, _, _, _, sizes, is_drawn = shapes
    for i in range(len(ids)):
        world = ids[i]
        for g in range(len(is_in_group)):
            alpha, own = rgba[world % len(rgba), g, 3], material[world % len(material), g]
            if 0 <= own < material_rgba.shape[1] and not (is_picture and _is_own(rgba[world % len(rgba), g])):
                alpha = material_rgba[world % len(material_rgba), own, 3]
            is_drawn[world, g] = is_in_group[g] and alpha != 0
            for axis in range(3):
                sizes[world, g, axis] = size[world % len(size), g, axis]


@compiled
def _is_own(rgba: NDArray[np.float32]) -> bool:
    """Tells whether a geom has a colour of its own beside its material's."""
    return bool(rgba[0] != 0.5 or rgba[1] != 0.5 or rgba[2] != 0.5 or rgba[3] != 1.0)
