"""The action border: what every environment checks before it moves."""

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, UserError
from robossl.envs.compiled import compiled


class ActionError(UserError, ValueError):
    """Reports an action that no environment can take."""


def require_open(is_closed: bool) -> None:
    """Checks that an environment has not been closed.

    Raises:
        RuntimeError: if it has.
    """
    if is_closed:
        raise RuntimeError("the environment is closed")


def checked_action(action: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Returns the action as a new float32 array, clipped to [-1, 1].

    Raises:
        ValueError: if it has another shape than `shape` or an element that is not finite.
    """
    values = np.asarray(action, np.float32)
    if values.shape != shape:
        raise ActionError(f"action has shape {list(values.shape)}, expected {list(shape)}")
    clipped = np.empty(shape, np.float32)
    if not _clip(values.reshape(-1), clipped.reshape(-1)):
        worlds = np.flatnonzero(~np.isfinite(values).all(axis=-1))
        raise ActionError(f"action is not finite in world(s) {worlds[:5].tolist()}")
    return clipped


@compiled
def _clip(values: Array, out: Array) -> bool:
    """Fills `out` [M]; tells whether all values are finite."""
    is_finite = True
    for i in range(len(values)):
        is_finite &= np.isfinite(values[i])
        out[i] = min(max(values[i], -1.0), 1.0)
    return is_finite
