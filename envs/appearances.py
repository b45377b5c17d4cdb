"""The same physical states under many random appearances: the free positives that only a simulator has."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, CameraSpec, Draws, Obs
from robossl.envs.delayed_engine import undelayed
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.randomisation import AnyRandomisation
from robossl.envs.randomiser import Randomiser, model_fields
from robossl.envs.render import start_renderer
from robossl.envs.task import Task


class Appearances:
    """Draws an engine's worlds in a second engine, whose looks are changed; the first is only read.

    What is changed is what the task lays out, or else the compiled model: never what another randomisation has made of
    it, beyond whose range it would lead.

    Args:
        engine: whose states are drawn.
        task: whose they are.
        visual: the randomisations of looks.
        renderer: its name.
        cameras: with their picture sizes.
        keys: the pictures wanted.
    """

    def __init__(
        self,
        engine: MujocoEngine,
        task: Task,
        visual: Mapping[str, AnyRandomisation],
        *,
        renderer: str,
        cameras: tuple[CameraSpec, ...],
        keys: tuple[str, ...],
    ) -> None:
        self._source = undelayed(engine)
        self._stage = MujocoEngine(engine.model, engine.num_worlds, engine.num_threads)
        self._task, self._keys = task, keys
        self._laid_out = tuple(model_fields(visual).intersection(task.spec.random_fields))
        self._randomiser = Randomiser(self._stage, visual, self._laid_out, num_actions=0, control_hz=1.0)
        self._renderer = start_renderer(renderer, self._stage, cameras, keys)

    def draw(
        self, num: int, draws: Draws, decisions: NDArray[np.int64], ids: NDArray[np.int64] | None = None
    ) -> dict[str, Array]:
        """Returns {key: [K, n, H, W, C]}: the worlds `ids` (all where None) as they are now, under `num` appearances.

        The k-th appearance of a world depends on its episode and decision, and on k.
        """
        ids = np.arange(self._source.num_worlds) if ids is None else ids
        own = {field: values[ids] for field, values in self._source.model_values().items()}
        if self._laid_out:
            layout = self._task.layout(draws)
            own |= {field: layout[field] for field in self._laid_out}
        looks: list[Obs] = []
        for k in range(num):
            for field, values in own.items():
                self._stage.randomise(field, values, ids)
            self._randomiser.begin(ids, draws.sub(f"appearance {k}", decisions))
            self._stage.set_state(self._source.get_state()[ids], ids)
            looks.append(self._renderer.render(ids))
        return {key: np.stack([look[key] for look in looks]) for key in self._keys}

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        self._renderer.close()
        self._stage.close()
