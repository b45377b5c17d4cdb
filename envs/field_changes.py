"""How a randomisation changes the numbers of one field."""

import math
from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Draws, UserError
from robossl.envs.field_limits import WHOLE_FIELDS, WITH_DIRECTION, FieldLimits
from robossl.envs.field_tables import rows_of, table_shape
from robossl.envs.mujoco_fields import RANDOM_FIELDS, SHAPE_FIELDS, STATE_FIELDS, model_default
from robossl.envs.randomisation import Randomisation
from robossl.envs.solid_bodies import SolidBodies

Floats = NDArray[np.float64]

_UNIT_RANGE = ("geom_rgba", "mat_rgba", "light_diffuse", "light_ambient")
_VECTORS = ("_pos", "_ipos", "_dir", "_quat", "opt.gravity", "opt.wind")
"""How fields end that can be turned."""

_NO_TURN = 1.0, 0.0, 0.0, 0.0


class FieldChange:
    """One field of a model, and what a randomisation does with it.

    Args:
        model: an `MjModel`.
        field: of it, or of its state.
        entry: the randomisation.
        own_fields: those that the task lays out, so that nobody knows before what they are.

    Attributes:
        field: its name.
        is_state: whether it is the state's, not the model's.
        is_relative: whether what comes out depends on what was there.
        compiled: its values in the compiled model; empty for the state.
        drawn_shape: (E, C) of the numbers that are drawn for a world; (1, 1) where all share one.
    """

    def __init__(self, model: Any, field: str, entry: Randomisation, own_fields: Container[str] = ()) -> None:
        if field not in RANDOM_FIELDS | STATE_FIELDS:
            raise UserError(f"{field!r} is no field that can be randomised")
        self.field, self._entry = field, entry
        self.is_state, self.is_relative = field in STATE_FIELDS, entry.mode in ("scale", "offset")
        self.compiled: Floats = np.zeros(0) if self.is_state else np.array(model_default(model, field))
        self._shape = table_shape(model, field)
        if not math.prod(self._shape):
            raise UserError(f"{field} cannot be randomised: the model has none")
        if field == "ctrl":
            raise UserError("ctrl cannot be randomised: every decision sets it anew")
        rows = rows_of(model, field, entry.elements)[:, None]
        self._place = slice(None), rows, np.arange(self._shape[1]) if entry.columns is None else np.array(entry.columns)
        self.drawn_shape = (len(rows), 1 if entry.mode == "turn" else self._place[2].size) if entry.each else (1, 1)
        self._require_columns()
        self._require_sense(model, is_known=field not in own_fields or not self.is_relative)

    def apply(self, values: Floats, draws: Draws) -> Floats:
        """Changes the field's values [n, ...] in place, and returns the numbers [n, E, C] drawn from the range."""
        entry = self._entry
        table = values.reshape(len(values), *self._shape)
        before, shape = table[self._place], self.drawn_shape  # [n, rows, columns]
        if entry.mode == "choose":  # also of half a range, which may end between two
            low, high = np.ceil(entry.low), np.floor(entry.high)
            u = np.floor(draws.uniform(low, max(low, high) + 1, shape))
        else:
            u = draws.uniform(entry.low, entry.high, shape)
        after = _turned(before, u, _axes(draws, shape[0])) if entry.mode == "turn" else self._changed(before, u)
        table[self._place] = after.clip(0.0, 1.0) if self.field in _UNIT_RANGE else after
        if self.field.endswith("_quat") and entry.mode != "turn":
            rows = self._place[1][:, 0]
            table[:, rows] /= np.linalg.norm(table[:, rows], axis=-1, keepdims=True)
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

    def _require_sense(self, model: Any, *, is_known: bool) -> None:
        """Refuses a range that leads to what no model can have, such as a negative mass or a material that is none."""
        entry = self._entry
        before, place = self._before(), self._place[1:]
        first, last = before.copy(), before.copy()
        for values, u in ((first, entry.low), (last, entry.high)):
            if entry.mode != "turn":
                values[place] = self._changed(before[place], u)
            elif u:
                values[place] = np.where(before[place] == 0, 0.0, np.nan)
        changed = (first != before) | (last != before)
        if self.field in SHAPE_FIELDS:
            SolidBodies(model).require_variable(self.field, changed[None])
        elif self.field == "body_ipos":
            SolidBodies(model).require_variable_centre(changed)
        if entry.mode == "turn":
            return
        rows = self._place[1][:, 0]
        limits = FieldLimits(model, self.field, rows)
        flaw = limits.flaw(first[rows], last[rows], is_shared=not entry.each) if is_known else None
        if entry.mode == "choose" and self.field.endswith(WITH_DIRECTION):
            flaw = "vectors of whole numbers, of which many have length 0"
        if flaw is None and self.field in WHOLE_FIELDS and not self._is_whole():
            flaw = 'fractions of what is counted, where mode "choose" draws whole numbers'
        if flaw is not None:
            raise UserError(f"{entry.described()}: that makes {flaw}")

    def _is_whole(self) -> bool:
        low, high, mode = self._entry.low, self._entry.high, self._entry.mode
        return mode == "choose" or (mode in ("set", "offset") and low == high and float(low).is_integer())

    def _before(self) -> Floats:
        """Returns what is changed [rows, columns]; of the state, which tasks lay out, as much as is known before."""
        if not self.is_state:
            return np.array(self.compiled, np.float64).reshape(self._shape)
        return np.broadcast_to(_NO_TURN if self.field.endswith("_quat") else np.nan, self._shape).copy()


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
