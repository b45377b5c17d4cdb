"""Looks for observations that are not finite where they leave for a learner, which they would spoil without a word."""

import numpy as np
from numpy.typing import NDArray

from robossl.core.errors import UserError
from robossl.core.protocols import Obs, StepBatch
from robossl.core.specs import MODALITIES, EnvSpec


def checked_keys(spec: EnvSpec) -> tuple[str, ...]:
    """Returns the keys of what might not be finite: fractions, but those of pictures that a renderer draws.

    Whatever has the shape of a picture may be a vector or a sensor of somebody's own.
    """
    cameras = () if spec.render is None else spec.render.cameras
    drawn = {f"{modality}_{camera.name}" for camera in cameras for modality in MODALITIES}
    return tuple(key for key, part in spec.observation.items() if np.dtype(part.dtype).kind == "f" and key not in drawn)


def require_finite(obs: Obs, keys: tuple[str, ...], ids: NDArray[np.int64] | None = None) -> None:
    """Checks observations [n, ...] of the worlds `ids`, or of all.

    Raises:
        UserError: naming the first of the `keys`, and the first world.
    """
    for key in keys:
        values = obs[key]
        if np.isfinite(np.vdot(values, values)):
            continue  # a product is a fifth of the cost of looking at each number; it may be too large itself
        wrong = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if len(wrong):
            world = wrong[0] if ids is None else ids[wrong[0]]
            raise UserError(f"observation {key!r} is not finite in world {world}")


def require_finite_step(batch: StepBatch, keys: tuple[str, ...]) -> None:
    """Checks all that a step shows; raises as `require_finite` does."""
    if len(batch.final_ids):
        require_finite(batch.final_obs, keys, batch.final_ids)
    require_finite(batch.obs, keys)
