"""Between an engine's device and the host."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine


def on_host(values: Array) -> NDArray[Any]:
    """Returns numbers of any array namespace as numpy's; nothing is copied that is on the host already."""
    if isinstance(values, np.ndarray):
        return values
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


def namespace_of(values: Array) -> Any:
    """Returns the array namespace of an array: numpy itself for numpy's."""
    return np if isinstance(values, np.ndarray) else array_namespace(values)


class OnHost:
    """An engine as sensors see it: what they read of it is numpy's, wherever it computes."""

    xp: Any = np

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.model, self.num_worlds = engine.model, engine.num_worlds

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `Engine.read`."""
        return on_host(self._engine.read(name, ids))

    def ray(self, start: Array, direction: Array, ids: NDArray[np.int64], *, hidden_body: int = -1) -> NDArray[Any]:
        """See `Engine.ray`."""
        return on_host(self._engine.ray(start, direction, ids, hidden_body=hidden_body))
