"""Scalars of what happens while an agent collects and learns, written at a steady pace through SB3's logger.

perf/env_fps            environment steps per second of simulating and rendering
perf/simulate_ms ...    milliseconds per step of all worlds: simulate, render, act, update add up to the whole
perf/num_diverged       episodes since the last line that ended because their physics went astray
env/<term>              mean of a reward term, unweighted
rollout/<metric>        mean of a task's metric over the episodes that ended
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robossl.core.protocols import StepBatch, Tree
from robossl.training.agent import Agent
from robossl.training.cadence import Every

_TERM, _METRIC = "reward/", "metric/"
_DIVERGED = "perf/num_diverged"


class RolloutLog:
    """Sums up steps, and writes their means with all that SB3 recorded whenever that is due.

    Args:
        agent: whose logger, and whose times.
        every: environment steps between two lines of the log.
    """

    def __init__(self, agent: Agent, every: Every) -> None:
        self._agent, self._every = agent, every
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._num_steps = 0
        self._seconds = self._seconds_now()

    def add(self, infos: Sequence[Mapping[str, Any]]) -> None:
        """Takes note of one step of all worlds: its infos as SB3 got them, and what the environment remembers of it."""
        self._num_steps += 1
        batch: StepBatch = self._agent.get_env().last_step
        for name, values in batch.info.items():
            if name.startswith(_TERM):
                self._count(f"env/{name.removeprefix(_TERM)}", float(np.mean(values)))
        self._sums[_DIVERGED] = self._sums.get(_DIVERGED, 0.0) + float(np.sum(batch.info.get("diverged", 0)))
        self._counts[_DIVERGED] = 1
        for info in infos:
            for name, value in info.items():
                if name.startswith(_METRIC):
                    self._count(f"rollout/{name.removeprefix(_METRIC)}", float(value))

    def write_if_due(self, step: int) -> None:
        """Writes what was noted, if it is time."""
        if self._every.due(step):
            self.write()

    def write(self) -> None:
        """Writes what was noted."""
        if not self._num_steps:
            return
        for name, total in self._sums.items():
            self._agent.logger.record(name, total / self._counts[name])
        for name, value in self._speeds().items():
            self._agent.logger.record(name, value)
        self._agent.dump_logs()
        self._sums, self._counts, self._num_steps = {}, {}, 0

    def get_state(self) -> Tree:
        """Returns what was noted and not yet written; times are not part of it."""
        pending = {
            name: float(value)
            for name, value in self._agent.logger.name_to_value.items()
            if isinstance(value, (int, float, np.number))
        }
        return {
            "asked": self._every.get_state(),
            "sums": dict(self._sums),
            "counts": dict(self._counts),
            "num_steps": self._num_steps,
            "pending": pending,
            "excluded": {name: list(self._agent.logger.name_to_excluded[name]) for name in pending},
        }

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self._every.set_state(state["asked"])
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
        self._num_steps = int(state["num_steps"])
        for name, value in state["pending"].items():
            self._agent.logger.record(name, value, exclude=tuple(state["excluded"][name]))

    def _count(self, name: str, value: float) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + value
        self._counts[name] = self._counts.get(name, 0) + 1

    def _speeds(self) -> dict[str, float]:
        now = self._seconds_now()
        spent = {name: now[name] - self._seconds[name] for name in now}
        self._seconds = now
        env_s = max(spent["simulate"] + spent["render"], 1e-9)
        per_step = {f"perf/{name}_ms": 1e3 * value / self._num_steps for name, value in spent.items()}
        return {"perf/env_fps": self._num_steps * self._agent.get_env().num_envs / env_s, **per_step}

    def _seconds_now(self) -> dict[str, float]:
        return {**self._agent.get_env().perf, **self._agent.perf}
