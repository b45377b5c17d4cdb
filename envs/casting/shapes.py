"""What rays can hit in every world: planes, boxes, spheres, ellipsoids, capsules and cylinders."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled
from robossl.envs.engine import Engine
from robossl.envs.mujoco_fields import NO_COLOUR, in_visible_group
from robossl.envs.world_values import own_or_shared, per_world

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
    values = [own_or_shared(engine, field) for field in ("geom_rgba", "geom_matid", "mat_rgba", "geom_size")]
    is_in_group = in_visible_group(engine.model.geom_group)
    _follow(ids, values[0], values[1], values[2], values[3], is_in_group, is_picture, shapes)


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
    is_own = (rgba != NO_COLOUR).any(axis=2) & (material >= 0)
    differ = is_own & ((rgba[..., 3] == 0) != (materials == 0))
    return np.asarray(differ.any(axis=0)) & in_visible_group(model.geom_group)


def can_cast(model: mujoco.MjModel) -> bool:
    """Tells whether all that is visible of a model has a shape that is known here."""
    return bool(np.isin(model.geom_type[in_visible_group(model.geom_group)], _KINDS).all()) and not model.nflex


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
