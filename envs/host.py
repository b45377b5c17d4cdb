"""Between an engine's device and the host."""

from typing import Any, cast

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


def for_sensors(engine: Engine) -> Engine:
    """Returns an engine of which sensors can read numpy's arrays: itself if it has such."""
    return engine if engine.xp is np else cast(Engine, _OnHost(engine))


class _OnHost:
    """What sensors need of an engine, in numpy wherever that computes."""

    xp: Any = np

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.model, self.num_worlds = engine.model, engine.num_worlds

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `Engine.read`."""
        return on_host(self._engine.read(name, ids))

    def scan(self, *frames: Array, **options: Any) -> NDArray[Any]:
        """See `Engine.scan`."""
        return on_host(self._engine.scan(*frames, **options))

    def own_values(self, field: str) -> NDArray[np.float64] | None:
        """See `Engine.own_values`: they lie on the host."""
        return self._engine.own_values(field)
