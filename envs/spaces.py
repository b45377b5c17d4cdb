"""Specs as Gymnasium spaces, and foreign Gymnasium spaces as specs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, UserError

Reader = tuple[ArraySpec, Callable[[Any], Array]]
"""What an array looks like, and the function that copies it out of a foreign environment's observation."""


def box(spec: ArraySpec) -> "spaces.Box[Any]":
    """Returns the space of one array."""
    return spaces.Box(_bound(spec.low, spec.dtype), _bound(spec.high, spec.dtype), spec.shape, np.dtype(spec.dtype))


def observation_space(observation: dict[str, ArraySpec]) -> spaces.Dict:
    """Returns the space of a dict of arrays."""
    return spaces.Dict({key: box(spec) for key, spec in observation.items()})


def readers(env_id: str, space: spaces.Space[Any]) -> dict[str, Reader]:
    """Returns a reader for every key that a foreign observation space offers.

    Uint8 pictures stay pictures, everything else becomes a float32 vector. A space that is no dict is called
    `rgb_camera` or `proprio`; keys lose their dots.

    Raises:
        UserError: if a part has no fixed size, or two would have the same key.
    """
    if not isinstance(space, spaces.Dict):
        return {"rgb_camera" if _is_picture(space) else "proprio": _reader(env_id, space)}
    found, names = dict[str, Reader](), dict[str, str]()
    for name, part in space.spaces.items():
        key = name.replace(".", "_")
        if key in found:
            raise UserError(f"{env_id} observes {names[key]!r} and {name!r}, which would both be called {key!r}")
        found[key], names[key] = _reader(env_id, part, name), name
    return found


def require_continuous(env_id: str, space: spaces.Space[Any]) -> spaces.Box:
    """Returns the action space if actions in [-1, 1] can be scaled to it.

    Raises:
        UserError: if it is not continuous or not bounded.
    """
    if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
        raise UserError(f"{env_id} takes {space} actions; only continuous ones (Box) can be driven")
    if not space.is_bounded():
        raise UserError(f"{env_id} takes unbounded actions, {space}; scaling them needs bounds")
    return space


def native_action(space: spaces.Box, action: NDArray[np.float32]) -> NDArray[Any]:
    """Scales an action [A] from [-1, 1] to the bounds of a space."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    native = low + (action.reshape(space.shape) + 1.0) / 2.0 * (high - low)
    return np.clip(native, low, high).astype(space.dtype)


def _reader(env_id: str, space: spaces.Space[Any], name: str | None = None) -> Reader:
    def part(native: Any) -> Any:
        return native if name is None else native[name]

    if _is_picture(space):
        return ArraySpec(shape=space.shape or (), dtype="uint8", low=0, high=255), lambda native: np.array(part(native))
    if not space.is_np_flattenable:
        raise UserError(f"{env_id} observes {space}, which has no fixed size")
    flat = spaces.flatten_space(space)
    assert isinstance(flat, spaces.Box)
    spec = ArraySpec(shape=flat.shape, low=float(flat.low.min()), high=float(flat.high.max()))
    return spec, lambda native: np.array(spaces.flatten(space, part(native)), np.float32)


def _is_picture(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and len(space.shape) == 3 and space.dtype == np.uint8


def _bound(value: float, dtype: str) -> float:
    """Clips a bound to what the type can hold: integers have no infinity."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return int(min(max(value, limits.min), limits.max))
    return value
