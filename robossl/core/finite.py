"""Looks for observations that are not finite where they leave for a learner, which they would spoil without a word."""

import numpy as np
from numpy.typing import NDArray

from robossl.core.errors import UserError
from robossl.core.protocols import Obs


def require_finite(obs: Obs, ids: NDArray[np.int64] | None = None) -> None:
    """Checks observations [n, ...] of the worlds `ids`, or of all; pictures are finite.

    Raises:
        UserError: naming the first key, and the first world.
    """
    for key, values in obs.items():
        if values.dtype.kind != "f" or values.ndim > 2 or np.isfinite(np.vdot(values, values)):
            continue  # a product is a fifth of the cost of looking at each number; it may be too large itself
        wrong = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if len(wrong):
            world = wrong[0] if ids is None else ids[wrong[0]]
            raise UserError(f"observation {key!r} is not finite in world {world}")
