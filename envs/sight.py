"""What is seen of N worlds at a moment, by everything that is asked for."""

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs
from robossl.envs.engine import Engine
from robossl.envs.host import on_host, together_on_host
from robossl.envs.pictures import Pictures
from robossl.envs.sensors.suite import SensorSuite
from robossl.envs.task import Task
from robossl.envs.task_promises import Promises


class Sight:
    """Observes an engine's worlds: the task's vectors, readings of sensors, pictures; on the host, and copied.

    Args:
        engine: whose worlds.
        task: whose vectors.
        promises: that they are held against.
        keys: all that is observed, in their order.
        sensors: those among them.
        pictures: those among them.
    """

    def __init__(
        self,
        engine: Engine,
        task: Task,
        *,
        promises: Promises,
        keys: tuple[str, ...],
        sensors: SensorSuite,
        pictures: Pictures,
    ) -> None:
        self._engine, self._task, self._keys, self._promises = engine, task, keys, promises
        self._sensors = sensors if sensors.specs else None
        self._pictures = pictures if pictures.spec is not None else None
        self._everyone = np.arange(engine.num_worlds)

    def observe(self, memory: dict[str, Array], ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> Obs:
        """Returns {key: [n, ...]} of the worlds `ids`, or of all.

        Args:
            memory: the task's.
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        vectors, others = self._task.observe(self._engine, memory), Obs()
        self._promises.seen(vectors)
        if self._engine.xp is not np:
            vectors = together_on_host({key: vectors[key] for key in self._keys if key in vectors})
        if self._pictures is not None:
            others |= self._pictures.observe(ids, decisions)
        if self._sensors is not None:
            others |= self._sensors.read(self._everyone if ids is None else ids)
        obs = Obs()
        for key in self._keys:
            if key in others:
                obs[key] = others[key]
                continue
            values = on_host(vectors[key])
            obs[key] = np.array(values if ids is None else values[ids], np.float32)
        return obs
