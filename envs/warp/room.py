"""How much room a world takes for contacts and for the rows of constraints: MuJoCo Warp wants to know it beforehand."""

from dataclasses import fields, is_dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.core.memory import available_bytes
from robossl.envs.warp.library import mujoco_warp, warp

Numbers = NDArray[np.integer[Any]]

_CONTACTS, _ROWS = 48, 192  # at least: the tasks of robossl need no more
_MOST_ROWS = 4096  # of contacts: what 128 boxes need
_TYPES = {"PLANE": 4, "SPHERE": 1, "ELLIPSOID": 1, "CAPSULE": 2}
_POINTS = {getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value: points for name, points in _TYPES.items()}
_MOST_POINTS = 8  # in which two geoms touch: of boxes and meshes
_OF_ROWS = mujoco_warp.OverflowType.NEFC | mujoco_warp.OverflowType.NJMAX_NNZ
_OF_CONTACTS = mujoco_warp.OverflowType.BROADPHASE | mujoco_warp.OverflowType.NARROWPHASE


class Room:
    """What a world of a model takes.

    There is room for every geom that can move to lie on something else, and for all pairs of geoms that may come near.

    Attributes:
        num_contacts, num_rows: of a world.

    Args:
        model: MuJoCo's.
        compiled: MuJoCo Warp's of it.
    """

    def __init__(self, model: mujoco.MjModel, compiled: Any) -> None:
        self._model = model
        pairs = compiled.nxn_geom_pair_filtered.numpy().reshape(-1, 2)
        points, rows = _at_rest(model, pairs, compiled.nxn_pairid_filtered.numpy().reshape(-1, 2)[:, 0])
        limits = int(model.jnt_limited.sum() + model.tendon_limited.sum())
        self.num_contacts = max(_CONTACTS, len(pairs), points)
        self.num_rows = max(_ROWS, min(rows, _MOST_ROWS)) + model.nv + model.ntendon + limits + 6 * model.neq

    def new_data(self, num_worlds: int, device: Any) -> Any:
        """Takes it, for N worlds.

        Raises:
            UserError: if a processor has not the memory; a GPU that is full says so itself.
        """
        sizes = {"nconmax": self.num_contacts, "njmax": self.num_rows}
        free = None if device.is_cuda else available_bytes()
        if free is not None:
            each = _num_bytes(mujoco_warp.make_data(self._model, nworld=1, **sizes))
            if num_worlds * each > free:
                reason = f"need about {each >> 10:,} KiB each; there is memory for {free // each:,}"
                raise UserError(f"engine warp: {num_worlds} worlds {reason}")
        return mujoco_warp.make_data(self._model, nworld=num_worlds, **sizes)

    def shortage(self, flags: int, num_contacts: int, num_rows: int) -> str:
        """Says what there was no room for.

        Args:
            flags: of MuJoCo Warp's `OverflowType`.
            num_contacts: that a world needed last.
            num_rows: the same, of rows.
        """
        lacks = []
        if flags & _OF_CONTACTS:
            lacks.append(_lack("contacts", self.num_contacts, num_contacts))
        if flags & _OF_ROWS:
            lacks.append(_lack("rows of constraints", self.num_rows, num_rows))
        if others := flags & ~(_OF_CONTACTS | _OF_ROWS):
            lacks.append(f"what MuJoCo Warp calls {mujoco_warp.OverflowType(others).name}")
        return ", ".join(lacks)


def _num_bytes(data: Any) -> int:
    parts = [getattr(data, field.name) for field in fields(data)]
    arrays = sum(part.capacity or 0 for part in parts if isinstance(part, warp.array))
    return arrays + sum(_num_bytes(part) for part in parts if is_dataclass(part))


def _lack(what: str, room: int, needed: int) -> str:
    return f"{what} (at least {max(needed, room + 1)} where {room} fit)"


def _at_rest(model: mujoco.MjModel, pairs: Numbers, named: Numbers) -> tuple[int, int]:
    """Returns how many contacts and rows there are where every geom that can move lies on another one.

    Args:
        model: MuJoCo's.
        pairs: [P, 2] geoms that may touch.
        named: [P] the `pair` elements that say so; negative where none does.
    """
    if not len(pairs):
        return 0, 0
    points = np.array([_POINTS.get(kind, _MOST_POINTS) for kind in model.geom_type.tolist()])[pairs].min(axis=1)
    condim = model.geom_condim[pairs].max(axis=1)
    condim[named >= 0] = model.pair_dim[named[named >= 0]]
    is_pyramid = model.opt.cone == mujoco.mjtCone.mjCONE_PYRAMIDAL.value
    rows = points * (np.maximum(1, 2 * (condim - 1)) if is_pyramid else condim)
    moves = model.body_treeid[model.geom_bodyid] >= 0
    return _most_each(points, pairs, moves), _most_each(rows, pairs, moves)


def _most_each(values: Numbers, pairs: Numbers, moves: NDArray[np.bool_]) -> int:
    """Adds up, over geoms that can move, the greatest value [P] of a pair with them; at most the sum of all."""
    most = np.zeros(len(moves), np.int64)
    for geoms in pairs.T:  # numpy's `at` reads beyond values that it should repeat
        np.maximum.at(most, geoms, values)
    return min(int(most[moves].sum()), int(values.sum()))
