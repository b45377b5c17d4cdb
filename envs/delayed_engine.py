"""An engine whose actuators hear of each command some time late: what a robot's network and drivers cost.

Where the robot's controller leads its joints in straight lines, they do not jump to the command either.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine
from robossl.envs.host import numbers_of, on_host
from robossl.envs.records import Start
from robossl.envs.straight_lines import StraightLines


class DelayedEngine:
    """See `Engine`: another engine, but for what `step` is given and what the state holds beside the physics.

    The controls of decision i act from `delay` physics steps after that decision on; until the first do, those act
    that the episode began with. Those under way are kept on the host.

    Args:
        engine: the worlds.
        delay: in physics steps.
        num_substeps: between two decisions: what `step` is always called with.
        lines: in which controls go to each command; at once where None.
    """

    def __init__(self, engine: Engine, *, delay: int, num_substeps: int, lines: StraightLines | None = None) -> None:
        self._engine, self._num_substeps, self._lines = engine, num_substeps, lines
        self._whole, self._rest = divmod(delay, num_substeps)
        self._newest_first = np.zeros((engine.num_worlds, self._whole + 2, engine.model.nu))
        self._begins = np.ones(engine.num_worlds, bool)

    def reset(self, ids: NDArray[np.int64], fields: tuple[str, ...] = (), values: Array | None = None) -> None:
        """See `Engine.reset`."""
        self._engine.reset(ids, fields, values)
        self._begins[ids] = True

    def begin(self, ids: NDArray[np.int64], start: Start) -> None:
        """See `Engine.begin`."""
        self._engine.begin(ids, start)
        self._begins[ids] = True

    def step(
        self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = (), *, more: bool = False
    ) -> dict[str, Array]:
        """See `Engine.step`; a decision is whole."""
        assert num_substeps == self._num_substeps
        assert not more
        held = self._newest_first
        if self._begins.any():
            at_rest = numbers_of(self._engine, "ctrl", np.flatnonzero(self._begins))
            held[self._begins] = at_rest[:, None]
            if self._lines:
                self._lines.begin(self._begins, at_rest)
            self._begins[:] = False
        held[:, 1:] = held[:, :-1].copy()
        held[:, 0] = on_host(ctrl)
        parts = self._act(held[:, self._whole + 1], self._rest, record, more=True) if self._rest else []
        if self._lines:
            self._lines.turn(held[:, self._whole])
        parts += self._act(held[:, self._whole], num_substeps - self._rest, record, more=False)
        if len(parts) == 1:
            return parts[0]
        return {name: self._engine.xp.concat([part[name] for part in parts], axis=1) for name in record}

    def get_state(self) -> NDArray[np.float64]:
        """See `Engine.get_state`; the controls under way follow the physics."""
        parts = [self._engine.get_state(), self._newest_first.reshape(len(self._begins), -1), self._begins[:, None]]
        return np.concatenate(parts + ([self._lines.get_state()] if self._lines else []), axis=1)

    def set_state(self, state: NDArray[np.float64], ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.set_state`."""
        rows = slice(None) if ids is None else ids
        physics, held, begins, lines = self._parts(state)
        if self._lines:
            self._lines.set_state(lines, rows)
        self._engine.set_state(physics, ids)
        self._newest_first[rows] = held.reshape(-1, *self._newest_first.shape[1:])
        self._begins[rows] = begins[:, 0] > 0

    def require_state(self, state: NDArray[np.float64], model_values: dict[str, Array]) -> None:
        """See `Engine.require_state`."""
        self._engine.require_state(self._parts(state)[0], model_values)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other engine's."""
        return getattr(self._engine, name)

    def _parts(self, state: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Returns of a state [n, S] the physics, the controls under way, whether an episode begins, and the lines."""
        sizes = self._newest_first[0].size, 1, self._lines.get_state().shape[1] if self._lines else 0
        return np.split(state, state.shape[1] - np.cumsum(sizes[::-1])[::-1], axis=1)

    def _act(
        self, ctrl: NDArray[np.float64], num_steps: int, record: tuple[str, ...], *, more: bool
    ) -> list[dict[str, Array]]:
        """Makes physics steps under the controls of one decision; returns what was recorded, part by part.

        Args:
            ctrl: [N, U]; those of the lines, if there are any, take their place.
            num_steps: of them.
            record: see `Engine.step`.
            more: whether others follow before the next decision.
        """
        if self._lines is None:
            return [self._engine.step(ctrl, num_steps, record, more=more)]
        left = range(num_steps - 1, -1, -1)
        return [self._engine.step(self._lines.next(), 1, record, more=more or after > 0) for after in left]


def undelayed(engine: Engine) -> Any:
    """Returns the engine whose worlds these are: what is drawn of them is not late."""
    return engine._engine if isinstance(engine, DelayedEngine) else engine
