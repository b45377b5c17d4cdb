"""What a rollout of MuJoCo's batch records: derived fields as its substeps begin, but the state as they end."""

from collections.abc import Mapping

import numpy as np

from robossl.core import Array
from robossl.envs.mujoco_fields import STATE_FIELDS


class Recording:
    """Fields of N worlds at S substeps; `found` tells all of them as the substeps begin, the state moved back by one.

    Args:
        fields: {field: [N, ...]}, the batch's own arrays.
        num_substeps: S.

    Attributes:
        buffers: {field: [N, S, ...]} that the rollout writes to; they exist beforehand because an error in one world
            raises.
    """

    def __init__(self, fields: Mapping[str, Array], num_substeps: int) -> None:
        self.buffers = {
            name: np.zeros((len(values), num_substeps, *values.shape[1:]), values.dtype)
            for name, values in fields.items()
        }
        self._state = {name: values for name, values in fields.items() if name in STATE_FIELDS}
        self._begun: dict[str, Array] = {}

    def begin(self) -> None:
        """Takes note of the state before the first substep."""
        self._begun = {name: values.copy() for name, values in self._state.items()}

    def found(self) -> dict[str, Array]:
        """Returns what the rollout recorded, as float32 of its own."""
        recorded = {name: values.astype(np.float32) for name, values in self.buffers.items()}
        for name, values in self._begun.items():
            recorded[name][:, 0], recorded[name][:, 1:] = values, self.buffers[name][:, :-1]
        return recorded
