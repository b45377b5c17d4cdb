"""The sensors of an environment that somebody looks at, at work."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, Draws, Obs, Tree
from robossl.envs.engine import Engine
from robossl.envs.sensors.sensor import Sensor


class SensorSuite:
    """Reads sensors and keeps what they remember. Without sensors nothing costs anything.

    Attributes:
        specs: {key: what it reads}.
        record: fields that the engine has to read after every substep.
    """

    def __init__(self, engine: Engine, sensors: dict[str, Sensor], num_substeps: int) -> None:
        self._engine, self._sensors, self._num_substeps = engine, sensors, num_substeps
        self.specs: dict[str, ArraySpec] = sensor_specs(engine.model, sensors, num_substeps)
        self.record = tuple(dict.fromkeys(name for sensor in sensors.values() for name in sensor.record))
        self._memory = {key: sensor.new_memory(engine.num_worlds) for key, sensor in sensors.items()}
        self._recorded: dict[str, Array] = {}
        self.read(np.arange(engine.num_worlds)[:0])  # names all fields to the engine before the first step

    def begin(self, ids: NDArray[np.int64], draws: Draws) -> None:
        """Follows worlds whose episodes have just begun; `draws` gives [n, ...]."""
        for key, sensor in self._sensors.items():
            for values in self._memory[key].values():
                values[ids] = 0
            sensor.begin(self._engine, self._memory[key], ids, draws.sub(f"sensors/{key}"))
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

    def read(self, ids: NDArray[np.int64]) -> Obs:
        """Returns {key: [n, ...]} of the worlds `ids`."""
        recorded = self._started()
        return {
            key: sensor.read(self._engine, recorded, self._memory[key], ids) for key, sensor in self._sensors.items()
        }

    def get_state(self) -> Tree:
        """Returns what the sensors remember."""
        return {key: {name: values.copy() for name, values in part.items()} for key, part in self._memory.items()}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        for key, part in self._memory.items():
            for name, values in part.items():
                values[...] = state[key][name]

    def _started(self) -> dict[str, Array]:
        """Returns what was recorded; before the first step, room for it."""
        for name in self.record:
            if name not in self._recorded:
                self._recorded[name] = np.repeat(self._engine.read(name)[:, None], 1 + self._num_substeps, axis=1)
        return self._recorded


def sensor_specs(model: Any, sensors: dict[str, Sensor], num_substeps: int) -> dict[str, ArraySpec]:
    """Describes what sensors read in a model."""
    return {key: sensor.spec(model, num_substeps) for key, sensor in sensors.items()}
