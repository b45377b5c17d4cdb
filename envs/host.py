"""Between an engine's device and the host."""

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine

_LARGE_BYTES = 1 << 20  # of which the way they take matters


def on_host(values: Array) -> NDArray[Any]:
    """Returns numbers of any array namespace as numpy's; nothing is copied that is on the host already."""
    if isinstance(values, np.ndarray):
        return values
    if getattr(values, "is_cuda", False) and values.nbytes >= _LARGE_BYTES:
        return _through_pinned_memory(values)
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


def _through_pinned_memory(values: Any) -> NDArray[Any]:
    """Copies from a GPU to memory that it writes to itself, six times as fast as to any other.

    Torch keeps such memory and hands it out again once nobody has the array any more. Where there is none left, the
    array is any other.
    """
    import torch

    try:
        found = torch.empty(values.shape, dtype=values.dtype, device="cpu", pin_memory=True)
    except RuntimeError:
        return np.asarray(values.cpu())
    found.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return found.numpy()


def numbers_of(engine: Engine, field: str, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns a state field [n, ...] of the worlds `ids`, on the host and to the last bit, which `read` rounds away."""
    return np.array(on_host(engine.view(field))[ids], np.float64)


def together_on_host(parts: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
    """Returns numbers of any array namespace as numpy's: of one type in one copy, as each copy waits for a GPU."""
    found: dict[str, NDArray[Any]] = {}
    kinds: dict[Any, list[str]] = {}
    for name, values in parts.items():
        if isinstance(values, np.ndarray):
            found[name] = values
        else:
            kinds.setdefault((values.dtype, str(values.device)), []).append(name)
    for names in kinds.values():
        xp = namespace_of(parts[names[0]])
        flat, end = on_host(xp.concat([xp.reshape(parts[name], (-1,)) for name in names])), 0
        for name in names:
            shape = tuple(parts[name].shape)
            begin, end = end, end + math.prod(shape)
            found[name] = flat[begin:end].reshape(shape)
    return {name: found[name] for name in parts}


def namespace_of(values: Array) -> Any:
    """Returns the array namespace of an array: numpy itself for numpy's."""
    return np if isinstance(values, np.ndarray) else array_namespace(values)


class Constants:
    """Arrays, and numbers among them, that never change, where an engine computes: they are copied there once."""

    def __init__(self, *values: NDArray[Any] | float) -> None:
        self._values: tuple[Any, ...] = values
        self._copies: dict[str, tuple[Any, ...]] = {}

    def on(self, engine: Engine) -> tuple[Any, ...]:
        """Returns them; the arrays themselves where that is numpy."""
        return self._values if engine.xp is np else self._at(engine.xp, engine.device)

    def beside(self, values: Array) -> tuple[Any, ...]:
        """Returns them where other numbers are, as `on` does."""
        return self._values if isinstance(values, np.ndarray) else self._at(array_namespace(values), values.device)

    def _at(self, xp: Any, device: Any) -> tuple[Any, ...]:
        place = str(device)
        if place not in self._copies:
            self._copies[place] = tuple(
                xp.asarray(own, device=device) if isinstance(own, np.ndarray) else own for own in self._values
            )
        return self._copies[place]


def for_sensors(engine: Engine) -> Engine:
    """Returns an engine of which sensors can read numpy's arrays: itself if it has such."""
    return engine if engine.xp is np else cast(Engine, _OnHost(engine))


class _OnHost:
    """What sensors need of an engine, in numpy wherever that computes."""

    xp: Any = np

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.model, self.num_worlds, self.feels_late = engine.model, engine.num_worlds, engine.feels_late

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `Engine.read`."""
        return on_host(self._engine.read(name, ids))

    def scan(self, *frames: Array, **options: Any) -> NDArray[Any]:
        """See `Engine.scan`."""
        return on_host(self._engine.scan(*frames, **options))

    def own_values(self, field: str) -> NDArray[np.float64] | None:
        """See `Engine.own_values`: they lie on the host."""
        return self._engine.own_values(field)
