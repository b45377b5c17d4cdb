"""A policy's graph at work in ONNX Runtime."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from robossl.core.contract import ACTION, COMMAND
from robossl.core.protocols import Obs

_FATAL = 4


class Session:
    """Runs a graph on one thread: the same numbers on every machine of a kind."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, values: Obs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Maps {input: [B, ...]} to actions [B, A] and commands [B, C]."""
        action, command = self._session.run([ACTION, COMMAND], values)
        return action, command
