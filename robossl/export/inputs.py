"""What goes into the graph: its description for the contract, and what it was in training."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from robossl.core.contract import CameraInput, ElementSpec, InputSpec, Range, VectorInput
from robossl.core.errors import UserError
from robossl.core.protocols import Obs
from robossl.core.specs import MODALITIES, ArraySpec, EnvSpec

Bounds: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]

_MAX_AGE_PERIODS = 2.0
"""Older than this was never seen in training, where every observation is new; one period is lost to transport."""
_QUANTILES = (0.01, 0.99)


class Seen:
    """What a policy was shown, as graph inputs {name: [M, ...]}: bounds over all of it, and a uniform sample.

    Args:
        observation: the environment's.
        size: of the sample, in moments.
        generator: picks the sample.
    """

    def __init__(self, observation: dict[str, ArraySpec], size: int, generator: np.random.Generator) -> None:
        self._observation, self._size, self._generator = observation, size, generator
        self._count = 0
        self._sample: Obs = {}
        self._bounds: dict[str, Bounds] = {}

    def add(self, obs: Obs) -> None:
        """Adds {key: [N, ...]} as agents see it: pictures stacked and channels-first."""
        values = graph_inputs(obs, self._observation)
        num_rows = len(next(iter(values.values())))
        index = self._count + np.arange(num_rows)
        place = np.where(index < self._size, index, self._generator.integers(0, index + 1))  # Vitter's algorithm R
        kept = place < self._size
        for name, rows in values.items():
            if name not in self._sample:
                self._sample[name] = np.zeros((self._size, *rows.shape[1:]), rows.dtype)
            self._sample[name][place[kept]] = rows[kept]
            low, high = _bounds(rows)
            lowest, highest = self._bounds.get(name, (low, high))
            self._bounds[name] = (np.minimum(lowest, low), np.maximum(highest, high))
        self._count += num_rows

    @property
    def sample(self) -> Obs:
        """Returns {name: [M, ...]}."""
        return {name: rows[: self._count] for name, rows in self._sample.items()}

    def ranges(self, name: str) -> tuple[Range, ...]:
        """Returns the range of every element of a vector, or channel of a picture; of finite values."""
        rows = _columns(self.sample[name])
        low, high = self._bounds[name]
        q01, q99 = np.nanquantile(np.where(np.isfinite(rows), rows, np.nan), _QUANTILES, axis=0)
        return tuple(
            Range(low=float(a), q01=float(b), q99=float(c), high=float(d))
            for a, b, c, d in zip(low, q01, q99, high, strict=True)
        )


def require_exportable(observation: dict[str, ArraySpec]) -> None:
    """Checks, before any work, that every observation of an environment can be an input.

    Raises:
        UserError: if one is a picture that no ROS encoding names, or a series, which no message carries at once.
    """
    for key, spec in observation.items():
        if not spec.is_image and len(spec.shape) != 1:
            raise UserError(
                f"observation {key!r} is a series {list(spec.shape)} of every substep: none can be exported"
            )
        if spec.is_image and spec.shape[-1] != (3 if spec.dtype == "uint8" else 1):
            raise UserError(f"observation {key!r} has {spec.shape[-1]} channels: only colour and depth can be exported")


def describe_inputs(spec: EnvSpec, frame_stack: int, seen: Seen) -> tuple[InputSpec, ...]:
    """Describes every observation of an environment as an input.

    Raises:
        UserError: if one cannot be an input.
    """
    require_exportable(spec.observation)
    age_s = _MAX_AGE_PERIODS / spec.control_hz
    return tuple(
        _camera(key, part, frame_stack, age_s, seen) if part.is_image else _vector(key, part, age_s, seen)
        for key, part in spec.observation.items()
    )


def graph_inputs(obs: Obs, observation: dict[str, ArraySpec]) -> Obs:
    """Turns stacked, channels-first pictures [N, K * C, H, W] into frames [N, K, H, W, C]; vectors pass."""
    return {key: _frames(obs[key], spec) if spec.is_image else obs[key] for key, spec in observation.items()}


def _frames(stack: NDArray[np.uint8], spec: ArraySpec) -> NDArray[np.uint8]:
    height, width, channels = spec.shape
    frames = stack.reshape(len(stack), -1, channels, height, width)
    return np.ascontiguousarray(np.moveaxis(frames, 2, -1))


def _vector(key: str, spec: ArraySpec, age_s: float, seen: Seen) -> VectorInput:
    size = spec.shape[0]
    names = spec.names or tuple(f"{key}_{i}" for i in range(size))
    units, joints = spec.units or ("",) * size, spec.joints or ("",) * size
    elements = tuple(
        ElementSpec(
            name=name, unit=unit, joint=joint or None, low=_finite(spec.low), high=_finite(spec.high), seen=seen_range
        )
        for name, unit, joint, seen_range in zip(names, units, joints, seen.ranges(key), strict=True)
    )
    return VectorInput(name=key, shape=spec.shape, max_age_s=age_s, elements=elements)


def _camera(key: str, spec: ArraySpec, frame_stack: int, age_s: float, seen: Seen) -> CameraInput:
    modality, _, sensor = key.partition("_")
    is_colour = spec.dtype == "uint8"
    return CameraInput(
        name=key,
        shape=(frame_stack if is_colour else 1, *spec.shape),  # type: ignore[arg-type]
        dtype="uint8" if is_colour else "float32",
        modality="rgb" if is_colour else "depth",
        sensor=sensor if modality in MODALITIES else key,
        encoding="rgb8" if is_colour else "32FC1",
        max_age_s=age_s,
        seen=seen.ranges(key),
    )


def _columns(rows: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(rows, np.float64).reshape(-1, rows.shape[-1])


def _bounds(rows: NDArray[np.generic]) -> Bounds:
    columns = _columns(rows)
    known = np.isfinite(columns)
    return np.where(known, columns, np.inf).min(axis=0), np.where(known, columns, -np.inf).max(axis=0)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
