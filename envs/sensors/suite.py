"""The sensors of an environment that somebody looks at, at work, held against what they promise."""

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, Draws, Obs, Tree, UserError
from robossl.envs.engine import Engine
from robossl.envs.sensors.sensor import Memory, Sensor
from robossl.envs.task_promises import KINDS, require_new_memory

_ON_HOST = ("uint16", "uint32", "uint64")  # which torch hardly has: sensors remember on the host
_SHAPE_AND_DTYPE = operator.attrgetter("shape", "dtype")


class SensorSuite:
    """Reads sensors and keeps what they remember. Without sensors nothing costs anything.

    Raises:
        UserError: in all that it does, naming the first sensor whose readings or memory are not as it declares them.

    Attributes:
        specs: {key: what it reads}.
        record: fields that the engine has to read as every substep begins.
    """

    def __init__(self, engine: Engine, sensors: dict[str, Sensor], num_substeps: int) -> None:
        self._engine, self._sensors, self._num_substeps = engine, sensors, num_substeps
        self.specs: dict[str, ArraySpec] = sensor_specs(engine.model, sensors, num_substeps)
        self.record = tuple(dict.fromkeys(name for sensor in sensors.values() for name in sensor.record))
        self._dtypes = {key: np.dtype(spec.dtype) for key, spec in self.specs.items()}
        self._memory = {key: sensor.new_memory(engine.num_worlds) for key, sensor in sensors.items()}
        for key, memory in self._memory.items():
            require_new_memory(memory, engine.num_worlds, f"the sensor {key}", (*KINDS, *_ON_HOST))
        self._layouts = {key: _layout(memory) for key, memory in self._memory.items()}
        self._recorded: dict[str, Array] = {}
        for key, sensor in sensors.items():  # names all fields to the engine before the first step
            sensor.read(engine, self._started(), self._memory[key], np.arange(0))

    def begin(self, ids: NDArray[np.int64], draws: Draws) -> None:
        """Follows worlds whose episodes have just begun; `draws` gives [n, ...]."""
        for key, sensor in self._sensors.items():
            for values in self._memory[key].values():
                values[ids] = 0
            sensor.begin(self._engine, self._memory[key], ids, draws.sub(f"sensors/{key}"))
        self._require_kept()
        for name, values in self._started().items():
            values[ids] = self._engine.read(name)[ids][:, None]

    def advance(self, recorded: dict[str, Array], draws: Draws, decisions: NDArray[np.int64]) -> None:
        """Follows a control step.

        Args:
            recorded: what the engine read as every substep began.
            draws: of all N episodes.
            decisions: [N] decisions made in them.
        """
        self._recorded = {
            name: np.concatenate([recorded[name], self._engine.read(name)[:, None]], axis=1) for name in self.record
        }
        for key, sensor in self._sensors.items():
            sensor.advance(self._engine, self._memory[key], draws.sub(f"sensors/{key}", decisions))
        self._require_kept()

    def read(self, ids: NDArray[np.int64]) -> Obs:
        """Returns {key: [n, ...]} of the worlds `ids`, copied, in the specs' dtypes."""
        recorded, seen = self._started(), Obs()
        for key, sensor in self._sensors.items():
            readings = sensor.read(self._engine, recorded, self._memory[key], ids)
            seen[key] = _checked(key, readings, (len(ids), *self.specs[key].shape), self._dtypes[key])
        return seen

    def get_state(self) -> Tree:
        """Returns what the sensors remember."""
        return {key: {name: values.copy() for name, values in part.items()} for key, part in self._memory.items()}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        for key, part in self._memory.items():
            for name, values in part.items():
                values[...] = state[key][name]

    def _require_kept(self) -> None:
        """Checks that sensors have left their memory in the shapes and dtypes that it began with."""
        for key, memory in self._memory.items():
            if (memory or self._layouts[key]) and _layout(memory) != self._layouts[key]:
                before = _described(self._sensors[key].new_memory(self._engine.num_worlds))
                raise UserError(f"the sensor {key!r} changes its memory from {before} to {_described(memory)}")

    def _started(self) -> dict[str, Array]:
        """Returns what was recorded; before the first step, room for it."""
        for name in self.record:
            if name not in self._recorded:
                self._recorded[name] = np.repeat(self._engine.read(name)[:, None], 1 + self._num_substeps, axis=1)
        return self._recorded


def sensor_specs(model: Any, sensors: dict[str, Sensor], num_substeps: int) -> dict[str, ArraySpec]:
    """Describes what sensors read in a model."""
    return {key: sensor.spec(model, num_substeps) for key, sensor in sensors.items()}


def _checked(key: str, readings: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Copies readings [n, ...] in a dtype: whoever reads keeps them, and a sensor may return its memory itself."""
    if not isinstance(readings, np.ndarray):
        raise UserError(f"the sensor {key!r} returns a {type(readings).__name__}, expected an array")
    if readings.shape != shape:
        raise UserError(
            f"the sensor {key!r} returns {list(readings.shape)} of {shape[0]} worlds, expected {list(shape)}"
        )
    are_whole = readings.dtype.kind in "iu" and dtype.kind in "iu"  # signs aside, of one kind
    try:
        return readings.astype(dtype, casting="unsafe" if are_whole else "same_kind", subok=False)
    except TypeError as error:
        raise UserError(f"the sensor {key!r} returns {readings.dtype}, expected {dtype}") from error


def _layout(memory: Memory) -> list[Any]:
    """Returns names, and shapes and dtypes, by which memories are compared; like no other where one is no array."""
    try:
        return [*memory, *map(_SHAPE_AND_DTYPE, memory.values())]
    except AttributeError:
        return [None]


def _described(memory: Memory) -> str:
    parts = (f"{name} {np.asarray(values).dtype}{list(np.shape(values))}" for name, values in memory.items())
    return ", ".join(parts) or "nothing"
