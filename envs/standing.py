"""Free things keep standing on what they stand on when sizes are others than the layout counted with."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.engine import Engine
from robossl.envs.host import numbers_of, on_host
from robossl.envs.solid_bodies import PRIMITIVES, reach

Floats = NDArray[np.float64]

_FREE = mujoco.mjtJoint.mjJNT_FREE.value
_PLANE, _MESH = mujoco.mjtGeom.mjGEOM_PLANE.value, mujoco.mjtGeom.mjGEOM_MESH.value
_NONE = -1
_GAP_M = 1e-3  # between a thing and the top that it stands on, at most
_STRAIGHT = 1e-6  # axes this near to the world's are: upright things move by what they grew, to the last bit
_ENDLESS_M = 1e9


class Standing:
    """Lifts or lowers free bodies, however they lie, by what they and what they stand on grew or shrank.

    What a thing stands on are the tops, within a millimetre of its bottom, of free things and of all planes and
    primitives; the highest carries it. What stands on nothing such keeps the height of its bottom. Nothing moves aside.
    """

    def __init__(self, model: Any) -> None:
        joints = np.flatnonzero(model.jnt_type == _FREE)
        self._heights = model.jnt_qposadr[joints] + 2
        thing = np.full(model.nbody, _NONE)
        thing[model.jnt_bodyid[joints]] = np.arange(len(joints))
        thing = thing[model.body_rootid[model.geom_bodyid]]  # of each geom, now
        is_known = np.isin(model.geom_type, (_PLANE, *PRIMITIVES)) | ((model.geom_type == _MESH) & (thing != _NONE))
        self._geoms = np.flatnonzero(is_known & _can_touch(model))
        self._thing = thing[self._geoms]
        self._parts = [np.flatnonzero(self._thing == index) for index in range(len(joints))]
        kinds = model.geom_type[self._geoms]
        self._kinds = {kind: np.flatnonzero(kinds == kind) for kind in np.unique(kinds).tolist()}
        self._corners = [_corners(model, model.geom_dataid[self._geoms[row]]) for row in self._kinds.get(_MESH, [])]

    def settle(self, engine: Engine, given: Floats, size: Floats, ids: NDArray[np.int64]) -> None:
        """Moves them in the worlds `ids`, whose geoms have sizes [n, ngeom, 3]; the layout stays otherwise.

        Args:
            engine: the worlds, as they were laid out.
            given: the sizes that the layout counted with.
            size: those that they have.
            ids: [n].
        """
        given, size = given[:, self._geoms], size[:, self._geoms]
        if not len(self._geoms) * len(self._heights) or np.array_equal(given, size):
            return
        pos, axes = (on_host(engine.read(f"geom_x{name}", ids))[:, self._geoms] for name in ("pos", "mat"))
        pos, axes = pos.astype(np.float64), _straightened(axes.reshape(*pos.shape, 3).astype(np.float64))
        lift = self._lift(pos, self._reaches(axes, given), self._reaches(axes, size))
        if not lift.any():
            return
        qpos = numbers_of(engine, "qpos", ids)
        qpos[:, self._heights] += lift
        engine.write("qpos", qpos, ids)

    def _reaches(self, axes: Floats, size: Floats) -> Floats:
        """Returns how far geoms reach below and above their middles, [2, n, G, 3] along the world's axes.

        Args:
            axes: [n, G, 3, 3] the world's, as the geoms see them.
            size: [n, G, 3].
        """
        found = np.empty((2, *size.shape))
        for kind, rows in self._kinds.items():
            if kind == _PLANE:
                found[:, :, rows] = np.where(axes[..., 2][:, rows] == 1, 0.0, _ENDLESS_M)
            elif kind != _MESH:
                found[:, :, rows] = reach(kind, size[:, rows, None], axes[:, rows])
        for row, corners in zip(self._kinds.get(_MESH, []), self._corners, strict=True):
            along = axes[:, row] @ corners
            found[0, :, row], found[1, :, row] = -along.min(axis=-1), along.max(axis=-1)
        return found

    def _lift(self, pos: Floats, given: Floats, reaches: Floats) -> Floats:
        """Returns by how much [n, T] things rise, of geoms at `pos` [n, G, 3] that reached as far as `given`."""
        grown = [_grown(pos[:, some, 2], given[0][:, some, 2], reaches[0][:, some, 2]) for some in self._parts]
        own = lift = np.stack(grown, axis=1)
        above = reaches[1, ..., 2] - given[1, ..., 2]
        if len(self._parts) == 1 and not above[:, self._thing == _NONE].any():
            return lift  # what it stands on stays
        rests = [_rests(pos, given, some) & (self._thing != index) for index, some in enumerate(self._parts)]
        for _ in self._parts:  # no stack is higher than that
            tops = above + np.where(self._thing == _NONE, 0.0, lift[:, self._thing])
            highest = np.stack([np.where(on, tops, -np.inf).max(axis=1) for on in rests], axis=1)
            raised = own + np.where(np.isfinite(highest), highest, 0.0)
            if np.array_equal(raised, lift):
                break
            lift = raised
        return lift


def _grown(middle: Floats, given: Floats, below: Floats) -> Floats:
    """Returns how much lower [n] the bottom of parts at heights [n, P] is that reach `below` instead of `given`."""
    if not middle.shape[1]:
        return np.zeros(len(middle))
    lowest = (middle - given).argmin(axis=1)[:, None]
    first = np.take_along_axis(middle, lowest, axis=1) - middle
    return np.asarray((first + below).max(axis=1) - np.take_along_axis(given, lowest, axis=1)[:, 0])


def _rests(pos: Floats, given: Floats, parts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tells on which geoms [n, G], those of `parts` included, any of them stands."""
    low, high = pos - given[0], pos + given[1]
    bottom, top = low[:, parts, None], high[:, parts, None]
    meets = (bottom[..., :2] < high[:, None, :, :2]) & (low[:, None, :, :2] < top[..., :2])
    return np.asarray((meets.all(axis=-1) & (np.abs(bottom[..., 2] - high[:, None, :, 2]) < _GAP_M)).any(axis=1))


def _straightened(axes: Floats) -> Floats:
    whole = np.round(axes)
    return np.where(np.abs(axes - whole) < _STRAIGHT, whole, axes)


def _can_touch(model: Any) -> NDArray[np.bool_]:
    """Tells of each geom whether anything could ever touch it."""
    paired = np.isin(np.arange(model.ngeom), [model.pair_geom1, model.pair_geom2])
    return np.asarray((model.geom_contype != 0) | (model.geom_conaffinity != 0) | paired)


def _corners(model: Any, mesh: int) -> Floats:
    """Returns the corners [3, K] of a mesh's convex hull."""
    points = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]].astype(np.float64)
    if model.mesh_graphadr[mesh] < 0:  # nobody asked for it
        return np.asarray(points.T)
    graph = model.mesh_graph[model.mesh_graphadr[mesh] :]  # numbers of corners and faces, edges and names of the former
    return np.asarray(points[graph[2 + graph[0] : 2 + 2 * graph[0]]].T)
