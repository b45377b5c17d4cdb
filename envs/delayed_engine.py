"""An engine whose actuators hear of each command some time late: what a robot's network and drivers cost."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine
from robossl.envs.host import on_host


class DelayedEngine:
    """See `Engine`: another engine, but for what `step` is given and what the state holds beside the physics.

    The controls of decision i act from `delay` physics steps after that decision on; until the first do, those act
    that the episode began with. Those under way are kept on the host.

    Args:
        engine: the worlds.
        delay: in physics steps.
        num_substeps: between two decisions: what `step` is always called with.
    """

    def __init__(self, engine: Engine, *, delay: int, num_substeps: int) -> None:
        self._engine, self._num_substeps = engine, num_substeps
        self._whole, self._rest = divmod(delay, num_substeps)
        self._newest_first = np.zeros((engine.num_worlds, self._whole + 2, engine.model.nu))
        self._begins = np.ones(engine.num_worlds, bool)

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Engine.reset`."""
        self._engine.reset(ids)
        self._begins[ids] = True

    def step(self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = ()) -> dict[str, Array]:
        """See `Engine.step`."""
        assert num_substeps == self._num_substeps
        held = self._newest_first
        if self._begins.any():
            held[self._begins] = on_host(self._engine.read("ctrl"))[self._begins, None]
            self._begins[:] = False
        held[:, 1:] = held[:, :-1].copy()
        held[:, 0] = on_host(ctrl)
        if not self._rest:
            return self._engine.step(held[:, self._whole], num_substeps, record)
        before = self._engine.step(held[:, self._whole + 1], self._rest, record)
        after = self._engine.step(held[:, self._whole], num_substeps - self._rest, record)
        return {name: self._engine.xp.concat([before[name], after[name]], axis=1) for name in record}

    def get_state(self, *, whole: bool = True) -> NDArray[np.float64]:
        """See `Engine.get_state`; the controls under way follow the physics."""
        under_way = self._newest_first.reshape(len(self._begins), -1)
        return np.concatenate([self._engine.get_state(whole=whole), under_way, self._begins[:, None]], axis=1)

    def set_state(self, state: NDArray[np.float64], ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.set_state`."""
        rows = slice(None) if ids is None else ids
        size = self._newest_first[0].size
        self._engine.set_state(state[:, : -size - 1], ids)
        self._newest_first[rows] = state[:, -size - 1 : -1].reshape(-1, *self._newest_first.shape[1:])
        self._begins[rows] = state[:, -1] > 0

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other engine's."""
        return getattr(self._engine, name)


def undelayed(engine: Engine) -> Any:
    """Returns the engine whose worlds these are: what is drawn of them is not late."""
    return engine._engine if isinstance(engine, DelayedEngine) else engine
