"""The action border: what every environment checks before it moves."""

import math

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, UserError


class ActionError(UserError, ValueError):
    """Reports an action that no environment can take."""


def checked_action(action: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Returns the action as a new float32 array, clipped to [-1, 1].

    Raises:
        ValueError: if it has another shape than `shape` or an element that is not finite.
    """
    values = np.asarray(action, np.float32)
    if values.shape != shape:
        raise ActionError(f"action has shape {list(values.shape)}, expected {list(shape)}")
    if not math.isfinite(values.sum(dtype=np.float64)):
        worlds = np.flatnonzero(~np.isfinite(values).all(axis=-1))
        raise ActionError(f"action is not finite in world(s) {worlds[:5].tolist()}")
    return np.minimum(np.maximum(values, np.float32(-1)), np.float32(1))
