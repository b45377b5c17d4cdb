"""The exported policy in ONNX Runtime: observations in, commands in SI units out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from robossl.core import Bundle, UserError
from robossl.core.contract import COMMAND


class OnnxPolicy:
    """Runs a bundle's graph on one thread; remembers what a recurrent policy remembers.

    Raises:
        UserError: if the graph is not what the contract promises.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.contract = bundle.contract
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(bundle.policy, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise UserError(f"{bundle.folder}: the policy cannot be loaded: {' '.join(str(error).split())}") from error
        self._states = self.contract.initial_state
        self._require_promised(bundle)
        self._outputs = [COMMAND, *(f"next_{state.name}" for state in self._states)]
        self._memory: dict[str, NDArray[np.float32]] = {}
        self.reset()
        self._rehearse(bundle)
        self.reset()

    def reset(self) -> None:
        """Forgets the episode so far."""
        self._memory = {
            state.name: np.array(state.initial, np.float32).reshape(1, *state.shape) for state in self._states
        }

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Returns the commands [C] for one observation {name: [1, ...]}."""
        command, *memory = self._session.run(self._outputs, {**inputs, **self._memory})
        for state, value in zip(self._states, memory, strict=True):
            self._memory[state.name] = value
        return np.asarray(command[0], np.float64)

    def _rehearse(self, bundle: Bundle) -> None:
        """Runs once on zeros: the first run is the slowest, and shows whether shapes are as promised."""
        nothing = {spec.name: np.zeros((1, *spec.shape), spec.dtype) for spec in self.contract.inputs}
        try:
            command = self.command(nothing)
        except Exception as error:  # onnxruntime's errors have no common base
            raise UserError(f"{bundle.folder}: the policy does not run: {' '.join(str(error).split())}") from error
        if command.shape != (len(self.contract.commands),):
            raise UserError(
                f"{bundle.folder}: the policy gives {command.shape}, not {len(self.contract.commands)} commands"
            )

    def _require_promised(self, bundle: Bundle) -> None:
        found = {node.name for node in self._session.get_inputs()}
        promised = {part.name for part in (*self.contract.inputs, *self._states)}
        if found != promised:
            raise UserError(
                f"{bundle.folder}: the graph takes {sorted(found)}, the contract promises {sorted(promised)}"
            )
        outputs = {node.name for node in self._session.get_outputs()}
        absent = {COMMAND, *(f"next_{state.name}" for state in self._states)} - outputs
        if absent:
            raise UserError(f"{bundle.folder}: the graph gives no {', '.join(sorted(absent))}")
