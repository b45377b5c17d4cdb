"""A compiled `MjModel` laid out as what Bullet builds: trees of one-joint links, and fixtures. Numpy only, no Bullet.

A body with several joints becomes a chain of massless links; every solid geom has a link of its own, because friction
and contact filters are a link's in Bullet. Link frames stand at the joint's anchor, as Bullet wants them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.refusals import require_size, require_translatable
from robossl.envs.quaternion import product, rotated

Floats = NDArray[np.float64]
NONE = -1
_FREE, _BALL = mujoco.mjtJoint.mjJNT_FREE.value, mujoco.mjtJoint.mjJNT_BALL.value
_IDENTITY, _ORIGIN = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of a tree.

    Attributes:
        parent: index of a link, `NONE` for the base.
        pos, quat: of its frame in the parent's.
        joint: MuJoCo's joint that moves it, `NONE` if it is fixed to its parent.
        body: whose mass it has, `NONE` if it has none.
        geom: whose shape it has, `NONE` if it has none.
        origin: of the body's frame in the link's; both are turned alike.
    """

    parent: int
    pos: Floats
    quat: Floats
    joint: int = NONE
    body: int = NONE
    geom: int = NONE
    origin: Floats = field(default_factory=lambda: _ORIGIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A base and its links, parents first.

    Attributes:
        joint: the free joint that moves the base, `NONE` where it is fixed at `pos`, `quat` in the world.
        body, geom: see `Link`.
        centre, axes: of the mass of a base that moves, in the frame of the joint's body.
    """

    pos: Floats
    quat: Floats
    joint: int
    body: int
    geom: int
    centre: Floats
    axes: Floats
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What Bullet builds of a model.

    Attributes:
        trees: what moves by forces.
        fixtures: solid geoms that no force moves: those of the world and of mocap bodies.
        handles: mocap bodies, and bodies fixed to them, that welds hang on.
        pairs: [P, 2] geoms that can touch.
    """

    model: Any
    trees: tuple[Tree, ...]
    fixtures: tuple[int, ...]
    handles: tuple[int, ...]
    pairs: NDArray[np.int64]


def lay_out(model: Any) -> Blueprint:
    """Lays a model out.

    Raises:
        UserError: naming the first thing in it that Bullet has no counterpart for.
    """
    require_translatable(model)
    pairs = touching_pairs(model)
    solid = set(pairs.ravel().tolist())
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    roots = [b for b in range(1, model.nbody) if _moves(model, b) and not _moves(model, model.body_parentid[b])]
    return Blueprint(
        model=model,
        trees=tuple(_TreeBuilder(model, data, solid).build(root) for root in roots),
        fixtures=tuple(geom for geom in sorted(solid) if not _moves(model, model.geom_bodyid[geom])),
        handles=tuple(sorted(body for body in _joined(model) if model.body_mocapid[model.body_rootid[body]] >= 0)),
        pairs=pairs,
    )


def touching_pairs(model: Any) -> NDArray[np.int64]:
    """Returns the pairs of geoms [P, 2] that MuJoCo would test for contact, by masks, exclusions and `pair`s."""
    if model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CONTACT.value:
        return np.empty((0, 2), np.int64)
    excluded = set(model.exclude_signature.tolist())
    explicit = {(int(a), int(b)) for a, b in zip(model.pair_geom1, model.pair_geom2, strict=True)}
    first, second = np.triu_indices(model.ngeom, 1)
    kind, affinity = model.geom_contype, model.geom_conaffinity
    match = (kind[first] & affinity[second]) | (kind[second] & affinity[first])
    found = [
        (int(a), int(b))
        for a, b in zip(first[match != 0], second[match != 0], strict=True)
        if _may_touch(model, model.geom_bodyid[a], model.geom_bodyid[b], excluded)
    ]
    moving = [(a, b) for a, b in found if _moves(model, model.geom_bodyid[a]) or _moves(model, model.geom_bodyid[b])]
    return np.array(sorted({*moving, *explicit}), np.int64).reshape(-1, 2)


def _may_touch(model: Any, first: int, second: int, excluded: set[int]) -> bool:
    """Applies MuJoCo's rules: bodies welded together never touch, nor do parent and child unless one is the world."""
    welded = model.body_weldid[[first, second]]
    if welded[0] == welded[1] or (min(first, second) << 16) + max(first, second) in excluded:
        return False
    if model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_FILTERPARENT.value:
        return True
    parents = model.body_weldid[model.body_parentid[welded]]
    return not (0 not in welded and (parents[0] == welded[1] or parents[1] == welded[0]))


def _joined(model: Any) -> set[int]:
    return {*model.eq_obj1id.tolist(), *model.eq_obj2id.tolist()} if model.neq else set()


def _moves(model: Any, body: int) -> bool:
    return bool(model.body_treeid[body] >= 0)


def _heavy_body(model: Any, root: int) -> int:
    """Returns the first body with a mass among a free one and what is fixed to it: Bullet's base needs one to move."""
    return int(np.flatnonzero((model.body_weldid == root) & (model.body_mass > 0))[0])


def _inertia_pose(model: Any, body: int, root: int) -> tuple[Floats, Floats]:
    """Returns the pose of a body's inertia in the frame of `root`, to which the body is fixed."""
    pos, quat = model.body_ipos[body], model.body_iquat[body]
    while body != root:
        pos, quat = model.body_pos[body] + rotated(model.body_quat[body], pos), product(model.body_quat[body], quat)
        body = int(model.body_parentid[body])
    return pos, quat


class _TreeBuilder:
    """Lays out one kinematic tree. A frame is a link and where the body's origin is in it."""

    def __init__(self, model: Any, data: Any, solid: set[int]) -> None:
        self._model, self._data, self._solid = model, data, solid
        self._links: list[Link] = []
        self._base = NONE  # the body whose mass is the base's
        self._frames: dict[int, tuple[int, Floats]] = {}

    def build(self, root: int) -> Tree:
        model = self._model
        parent = int(model.body_parentid[root])
        is_free = bool(model.body_jntnum[root]) and model.jnt_type[model.body_jntadr[root]] == _FREE
        geom = NONE
        if is_free:
            self._frames[root] = NONE, _ORIGIN
            self._base = _heavy_body(model, root)
            geom, *others = [*self._geoms(root), NONE]
            self._add_shapes(NONE, root, [other for other in others if other != NONE])
            if self._base != root:
                self._add(parent=NONE, pos=_ORIGIN, quat=_IDENTITY, body=root)
        else:
            # Bullet takes what is fixed to link 0 for static, even where link 0 moves: it would pass through walls.
            self._frames[parent] = self._add(parent=NONE, pos=_ORIGIN, quat=_IDENTITY), _ORIGIN
            self._add_body(root)
        for body in range(root + 1, model.nbody):
            if model.body_treeid[body] == model.body_treeid[root]:
                self._add_body(body)
        require_size(model, root, [link.joint for link in self._links])
        centre, axes = _inertia_pose(model, self._base, root) if is_free else (_ORIGIN, _IDENTITY)
        return Tree(
            pos=_ORIGIN if is_free else self._data.xpos[parent].copy(),
            quat=_IDENTITY if is_free else self._data.xquat[parent].copy(),
            joint=int(model.body_jntadr[root]) if is_free else NONE,
            body=self._base,
            geom=geom,
            centre=centre,
            axes=axes,
            links=tuple(self._links),
        )

    def _add_body(self, body: int) -> None:
        model = self._model
        link, origin = self._frames[int(model.body_parentid[body])]
        pos, quat = origin + model.body_pos[body], model.body_quat[body].copy()
        geom, *others = [*self._geoms(body), NONE]
        first = model.body_jntadr[body]
        joints = range(first, first + model.body_jntnum[body])
        for joint in joints:
            anchor = model.jnt_pos[joint].copy()
            has_mass = joint == joints[-1] and model.jnt_type[joint] != _BALL
            link = self._add(
                parent=link,
                pos=pos + rotated(quat, anchor),
                quat=quat,
                joint=joint,
                body=body if has_mass else NONE,
                geom=geom if has_mass else NONE,
                origin=-anchor,
            )
            pos, quat = -anchor, _IDENTITY
        if not len(joints) or not has_mass:  # a ball's frame must be the body's, and Bullet turns it to the inertia's
            link = self._add(parent=link, pos=pos, quat=quat, body=NONE if body == self._base else body, geom=geom)
        self._frames[body] = link, self._links[link].origin
        self._add_shapes(link, body, [other for other in others if other != NONE])

    def _add_shapes(self, link: int, body: int, geoms: list[int]) -> None:
        for geom in geoms:
            self._add(parent=link, pos=_ORIGIN, quat=_IDENTITY, geom=geom, origin=self._frames[body][1])

    def _geoms(self, body: int) -> Iterator[int]:
        first = int(self._model.body_geomadr[body])
        return (geom for geom in range(first, first + int(self._model.body_geomnum[body])) if geom in self._solid)

    def _add(self, **options: Any) -> int:
        self._links.append(Link(**options))
        return len(self._links) - 1
