"""What worlds have of a model field: values of their own, or the model's, which they share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.envs.engine import Engine
from robossl.envs.mujoco_fields import model_default


def per_world(engine: Engine, field: str, ids: NDArray[np.int64]) -> NDArray[Any]:
    """Returns the values [n, ...] that a model field has in the worlds `ids`."""
    own = engine.own_values(field)
    if own is not None:
        return own[ids]
    shared = model_default(engine.model, field)
    return np.broadcast_to(shared, (len(ids), *shared.shape))


def own_or_shared(engine: Engine, field: str, ids: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Returns a model field of the worlds `ids`, or of all, [n, ...]; [1, ...] where they share it. To look at only."""
    own = engine.own_values(field)
    if own is None:
        return model_default(engine.model, field)[None]
    return own if ids is None else own[ids]
