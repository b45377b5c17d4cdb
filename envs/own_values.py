"""What the worlds of a batch have of model fields that differ between them, and what follows from it."""

from typing import Any

import numpy as np
from mujoco import batch as mujoco_batch
from numpy.typing import NDArray

from robossl.core import Array, UnknownNameError, UserError
from robossl.envs.mujoco_fields import RANDOM_FIELDS, SHAPE_FIELDS, feeds_constants
from robossl.envs.mujoco_rows import give
from robossl.envs.solid_bodies import SolidBodies

_ONLY_SET = RANDOM_FIELDS - {"body_inertia"}  # fields that nothing else gives worlds values of their own


class OwnValues:
    """Model fields of N worlds, by MuJoCo's names.

    Attributes:
        version: [N], raised for a world whenever its values change.

    Args:
        model: that the worlds share otherwise.
        batch: the `mujoco.batch.Batch`.
    """

    def __init__(self, model: Any, batch: Any) -> None:
        self.version = np.zeros(batch.nsim, np.int64)
        self._batch, self._solids = batch, SolidBodies(model)
        self._rows: dict[str, Array] = {}  # the batch's own arrays
        self._stale = np.zeros(batch.nsim, bool)  # worlds whose derived constants wait for set_const
        self._is_any_stale = False

    def set(self, field: str, values: Array, ids: NDArray[np.int64]) -> None:
        """Gives the worlds `ids`, which must be some, values [n, ...]; see `MujocoEngine.randomise`."""
        rows = self._rows.get(field)
        if rows is None:
            if field not in RANDOM_FIELDS:
                raise UnknownNameError("model field that can be randomised", field, RANDOM_FIELDS)
            rows = self._batch.expand(field)
        flat = rows.reshape(len(self.version), -1)
        given = np.asarray(values).reshape(len(ids), flat.shape[1])
        if field in SHAPE_FIELDS:
            self._solids.require_variable(field, np.asarray(rows[ids] != values))
        _require_finite(field, give(flat, ids, given, self.version))
        if field in ("body_mass", "geom_size") and "body_inertia" not in self._rows:
            own = (self._batch.expanded(name) for name in ("body_mass", "geom_size"))
            mass, size = (None if values is None else values[ids] for values in own)
            self._batch.expand("body_inertia")[ids] = self._solids.inertia(mass, size, len(ids))
        self._rows[field] = rows
        if feeds_constants(field):
            self.outdate(ids)

    def require(self, values: dict[str, Array]) -> None:
        """Checks that all worlds can be given values {field: [N, ...]}, and that they make models: on trial.

        Raises:
            UserError: as `MujocoEngine.randomise` and `follow` do.
        """
        if all(field in self._rows and np.array_equal(self._rows[field], new) for field, new in values.items()):
            return
        model, everyone = self._batch.model, np.arange(len(self.version))
        trial = OwnValues(model, mujoco_batch.Batch(model, len(everyone), self._batch.nthread))
        for field, new in {**self._rows, **values}.items():
            trial.set(field, new, everyone)
        trial.follow()

    def rows(self, field: str) -> Array:
        """Returns the batch's own array [N, ...] of a field, for values that are only to be copied there."""
        if field not in self._rows:
            self._rows[field] = self._batch.expand(field)
        return self._rows[field]

    def of(self, field: str) -> NDArray[np.float64] | None:
        """Returns a field's values [N, ...], to look at only; None where all worlds share the model's."""
        if field in _ONLY_SET:
            return self._rows.get(field)
        values: NDArray[np.float64] | None = self._batch.expanded(field)
        return values

    def copies(self) -> dict[str, Array]:
        """Returns the fields that were set, {field: [N, ...]}."""
        return {field: rows.copy() for field, rows in self._rows.items()}

    def outdate(self, ids: NDArray[np.int64]) -> None:
        """Notes that constants of these worlds no longer follow from their values."""
        self._stale[ids] = self._is_any_stale = True

    def follow(self) -> None:
        """Derives the constants again where values changed.

        Raises:
            UserError: if they make no model.
        """
        if not self._is_any_stale:
            return
        try:
            self._batch.set_const(np.flatnonzero(self._stale))
        except mujoco_batch.SimulationError as error:
            reason = " ".join(self._batch.error(int(error.ids[0])).split())
            raise UserError(f"the model values of world {error.ids[0]} make no model: {reason}") from error
        self._stale[:] = self._is_any_stale = False


def _require_finite(field: str, are_finite: bool) -> None:
    if not are_finite:
        raise UserError(f"{field} cannot be randomised to values that are not finite")
