"""Which numbers of which field make a model: bounds, ranges in order, vectors that have a direction.

What is beyond them MuJoCo refuses to compile, replaces in silence, or computes with until every world diverges.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.field_tables import table_shape
from robossl.envs.mujoco_fields import STATE_FIELDS, model_default, names

Floats = NDArray[np.float64]

_LEAST_KG, _LEAST_KG_M2, _LEAST_M = 1e-9, mujoco.mjMINVAL, 1e-6
_BOUNDS = {
    **dict.fromkeys(
        names("""
            geom_friction pair_friction dof_damping dof_armature dof_frictionloss jnt_stiffness
            tendon_stiffness tendon_damping tendon_frictionloss opt.density opt.viscosity
        """),
        (0.0, np.inf),
    ),
    "body_mass": (_LEAST_KG, np.inf),
    "body_inertia": (_LEAST_KG_M2, np.inf),
    "opt.impratio": (mujoco.mjMINVAL, np.inf),
    "cam_fovy": (1.0, 179.0),  # degrees
    "light_active": (0.0, 1.0),
    "eq_active": (0.0, 1.0),
}
_LIMITED = {
    "jnt_range": "jnt_limited",
    "actuator_ctrlrange": "actuator_ctrllimited",
    "actuator_forcerange": "actuator_forcelimited",
}
"""Fields of ranges, and those that tell which of them act."""

WITH_DIRECTION = ("_quat", "light_dir")
"""How fields of vectors end that may not vanish."""

WHOLE_FIELDS = names("geom_matid mat_texid light_active eq_active")
"""Which take whole numbers alone."""

_NO_LENGTH = 1e-6
_NUM_SIZES = {"SPHERE": 1, "CAPSULE": 2, "ELLIPSOID": 3, "CYLINDER": 2, "BOX": 3}


class FieldLimits:
    """Finds what no model can have among values of a field.

    Args:
        model: an `MjModel`.
        field: of it, or of its state.
        rows: of the field's table that are looked at; all where None.

    Attributes:
        shape: (rows, columns) of these.
    """

    def __init__(self, model: Any, field: str, rows: NDArray[np.int64] | None = None) -> None:
        num_rows, num_columns = table_shape(model, field)
        rows = np.arange(num_rows) if rows is None else rows
        self.shape = len(rows), num_columns
        bounds, limited = _bounds(model, field), _LIMITED.get(field)
        self._bounds = None if bounds is None else (bounds[0][rows], bounds[1][rows])
        self._is_range = None if limited is None else getattr(model, limited)[rows].astype(bool)
        self._has_direction, self._is_reference = field.endswith(WITH_DIRECTION), field.endswith("_solref")

    def __bool__(self) -> bool:
        """Tells whether there is anything that the field cannot have."""
        return self._bounds is not None or self._is_range is not None or self._has_direction or self._is_reference

    def flaw(self, first: Floats, last: Floats, *, is_shared: bool = True) -> str | None:
        """Says what is wrong with values between two ends [..., rows, columns]; None if nothing is.

        Args:
            first: the values at one end.
            last: at the other, the same array where there is nothing in between.
            is_shared: whether all numbers are as far on their way, or each goes its own.
        """
        if self._bounds is not None and (found := _beyond(first, last, *self._bounds)):
            return found
        if self._is_range is not None and (_widths(first, last, is_shared) < 0)[..., self._is_range].any():
            return "ranges that end before they begin"
        if self._has_direction and (_lengths(first, last) < _NO_LENGTH).any():
            return "vectors of length 0"
        if self._is_reference and _are_mixed(first[..., :2], last[..., :2]):
            return "numbers of which one is positive and the other is not"
        return None


def _bounds(model: Any, field: str) -> tuple[Floats, Floats] | None:
    """Returns the least and the greatest values [rows, columns]; what must be positive may be nothing where it is."""
    shape = table_shape(model, field)
    if field == "geom_size":
        low, high = _least_sizes(model), np.full(shape, np.inf)
    else:
        last = {"geom_matid": model.nmat, "mat_texid": model.ntex}
        ends = (-1.0, last[field] - 1.0) if field in last else _BOUNDS.get(field)
        if ends is None:
            return None
        low, high = (np.full(shape, end) for end in ends)
    if field not in STATE_FIELDS:
        is_nothing = model_default(model, field).reshape(shape) == 0
        low[is_nothing] = np.minimum(low[is_nothing], 0.0)
    return low, high


def _least_sizes(model: Any) -> Floats:
    """Returns the least sizes [ngeom, 3]; those that a shape does not have may be anything.

    What never moves may have none at all, which no picture shows, though things still touch it.
    """
    low = np.full(model.geom_size.shape, -np.inf)
    low[model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE.value] = 0.0
    for name, count in _NUM_SIZES.items():
        low[model.geom_type == getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value, :count] = _LEAST_M
    is_fixed = model.body_dofnum[model.body_weldid[model.geom_bodyid]] == 0
    low[is_fixed] = np.minimum(low[is_fixed], 0.0)
    return low


def _beyond(first: Floats, last: Floats, low: Floats, high: Floats) -> str | None:
    if (
        first is last and first.size and first.min() >= low.max() and first.max() <= high.min()
    ):  # what layouts mostly have
        return None
    least, most = np.minimum(first, last), np.maximum(first, last)
    is_beyond = (least < low) | (most > high)
    if not is_beyond.any():
        return None
    low, high = (np.broadcast_to(ends, is_beyond.shape)[is_beyond][0] for ends in (low, high))
    return f"{least[is_beyond].min():g} to {most[is_beyond].max():g}, beyond {low:g} to {high:g}"


def _widths(first: Floats, last: Floats, is_shared: bool) -> Floats:
    """Returns how wide ranges [..., rows] are where they are narrowest."""
    if is_shared:  # in between it is in between
        return np.minimum(first[..., 1] - first[..., 0], last[..., 1] - last[..., 0])
    return np.asarray(np.minimum(first, last)[..., 1] - np.maximum(first, last)[..., 0])


def _lengths(first: Floats, last: Floats) -> Floats:
    """Returns how long vectors [..., rows] are at the end where they are longer: what is drawn never is just 0."""
    return np.asarray(np.maximum(np.linalg.norm(first, axis=-1), np.linalg.norm(last, axis=-1)))


def _are_mixed(first: Floats, last: Floats) -> bool:
    """Tells whether any solver reference [..., 2] is neither a time and a ratio nor a stiffness and a damping."""
    positive = np.concatenate([first > 0, last > 0], axis=-1)
    return bool((positive.any(axis=-1) != positive.all(axis=-1)).any())
