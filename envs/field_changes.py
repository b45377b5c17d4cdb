"""How a randomisation changes the numbers of one field."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Draws, UserError
from robossl.envs.field_tables import rows_of, table_shape
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS, model_default
from robossl.envs.randomisation import Randomisation

Floats = NDArray[np.float64]

_NOT_NEGATIVE = ("geom_friction", "geom_size", "dof_damping", "dof_armature", "dof_frictionloss", "jnt_stiffness")
_LEAST_KG, _FOVY_DEG = 1e-9, (1.0, 179.0)
_UNIT_RANGE = ("geom_rgba", "mat_rgba", "light_diffuse", "light_ambient")
_VECTORS = ("_pos", "_ipos", "_dir", "_quat", "opt.gravity", "opt.wind")
"""How fields end that can be turned."""


class FieldChange:
    """One field of a model, and what a randomisation does with it.

    Attributes:
        field: its name.
        is_state: whether it is the state's, not the model's.
        compiled: its values in the compiled model; empty for the state.
    """

    def __init__(self, model: Any, field: str, entry: Randomisation) -> None:
        if field not in RANDOM_FIELDS | STATE_FIELDS:
            raise UserError(f"{field!r} is no field that can be randomised")
        self.field, self._entry = field, entry
        self.is_state = field in STATE_FIELDS
        self.compiled: Floats = np.zeros(0) if self.is_state else np.array(model_default(model, field))
        self._shape = table_shape(model, field)
        if not math.prod(self._shape):
            raise UserError(f"{field} cannot be randomised: the model has none")
        if field == "ctrl":
            raise UserError("ctrl cannot be randomised: every decision sets it anew")
        rows = rows_of(model, field, entry.elements)[:, None]
        self._place = slice(None), rows, np.arange(self._shape[1]) if entry.columns is None else np.array(entry.columns)
        self._require_columns()
        self._require_sense(model)

    def apply(self, values: Floats, draws: Draws) -> Floats:
        """Changes the field's values [n, ...] in place, and returns the numbers [n, ...] drawn from the range."""
        entry = self._entry
        table = values.reshape(len(values), *self._shape)
        before = table[self._place]  # [n, rows, columns]
        shape = (before.shape[1], 1 if entry.mode == "turn" else before.shape[2]) if entry.each else (1, 1)
        if entry.mode == "choose":  # also of half a range, which may end between two
            low, high = np.ceil(entry.low), np.floor(entry.high)
            u = np.floor(draws.uniform(low, max(low, high) + 1, shape))
        else:
            u = draws.uniform(entry.low, entry.high, shape)
        after = _turned(before, u, _axes(draws, shape[0])) if entry.mode == "turn" else self._changed(before, u)
        table[self._place] = after.clip(0.0, 1.0) if self.field in _UNIT_RANGE else after
        return u

    def _changed(self, before: Floats, u: Any) -> Floats:
        if self._entry.mode == "scale":
            return np.asarray(before * u)
        return np.asarray(before + u if self._entry.mode == "offset" else u)

    def _require_columns(self) -> None:
        columns, width = self._entry.columns or (), self._shape[1]
        if any(not 0 <= column < width for column in columns):
            raise UserError(f"{self.field} has the columns 0 to {width - 1}, got {', '.join(map(str, columns))}")
        if self._entry.mode == "turn" and (columns or not self.field.endswith(_VECTORS)):
            raise UserError(f"{self._entry.described()}: only whole vectors and quaternions can be turned")

    def _require_sense(self, model: Any) -> None:
        """Refuses a range that leads to what no model can have, such as a negative mass or a material that is none."""
        bounds, entry = bounds_of(model, self.field), self._entry
        if bounds is None or entry.mode == "turn":
            return
        before = self.compiled.reshape(1, *self._shape)[self._place]
        before = before[before != 0] if entry.mode == "scale" else before
        ends = np.concatenate([self._changed(before, u).ravel() for u in (entry.low, entry.high)])
        if len(ends) and not bounds[0] <= ends.min() <= ends.max() <= bounds[1]:
            made, allowed = f"{ends.min():g} to {ends.max():g}", f"{bounds[0]:g} to {bounds[1]:g}"
            raise UserError(f"{entry.described()}: that makes {made}, beyond {allowed}")


def bounds_of(model: Any, field: str) -> tuple[float, float] | None:
    """Returns between which numbers a field's must be; None where they may be any."""
    if field in _NOT_NEGATIVE:
        return 0.0, np.inf
    return {
        "body_mass": (_LEAST_KG, np.inf),
        "cam_fovy": _FOVY_DEG,
        "geom_matid": (-1.0, model.nmat - 1.0),
        "mat_texid": (-1.0, model.ntex - 1.0),
        "light_active": (0.0, 1.0),
    }.get(field)


def _axes(draws: Draws, count: int) -> Floats:
    """Draws directions [n, count, 3], all equally likely."""
    unit = draws.uniform(shape=(count, 2))
    z, turn = 2 * unit[..., 0] - 1, 2 * np.pi * unit[..., 1]
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=-1)


def _turned(values: Floats, angle: Floats, axis: Floats) -> Floats:
    """Turns vectors [n, E, 3], or quaternions [n, E, 4] in their own frame, by angles [n, E or 1, 1] about axes."""
    if values.shape[-1] == 3:
        along = (axis * values).sum(axis=-1, keepdims=True)
        turned = values * np.cos(angle) + np.cross(axis, values) * np.sin(angle)
        return np.asarray(turned + axis * along * (1 - np.cos(angle)))
    w, v = values[..., :1], values[..., 1:]
    cos, turn = np.cos(angle / 2), np.sin(angle / 2) * axis
    scalar = w * cos - (v * turn).sum(axis=-1, keepdims=True)
    return np.concatenate([scalar, w * turn + cos * v + np.cross(v, turn)], axis=-1)
