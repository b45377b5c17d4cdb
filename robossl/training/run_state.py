"""The whole state of a training run: gathered for a checkpoint, put back for a resume."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from robossl.core.protocols import Tree
from robossl.training.agent import Agent
from robossl.training.cadence import Every
from robossl.training.checkpoint import Checkpoint, Checkpoints
from robossl.training.rng import global_rng_state, set_global_rng_state

_NOT_IN_EARLIER = ("train_seconds", "seconds")  # runs begun before these were kept go on


class Stateful(Protocol):
    """Whatever a run remembers."""

    def get_state(self) -> Tree:
        """Returns it."""

    def set_state(self, state: Tree) -> None:
        """Puts it back."""


class RunState:
    """Saves and restores agent, worlds, replay, global generators and everything that logs.

    Exact only where SB3 has no step half done: at `on_rollout_start`, and after `learn`.

    Args:
        agent: in its environment.
        checkpoints: where to.
        every: environment steps between checkpoints.
        parts: {name: what else remembers something}.
    """

    def __init__(self, agent: Agent, checkpoints: Checkpoints, every: Every, parts: Mapping[str, Stateful]) -> None:
        self._agent, self._checkpoints, self._every, self._parts = agent, checkpoints, every, parts
        self._rng: Tree = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts back everything; the global generators wait for `begin`."""
        self._agent.set_state(checkpoint.tree("agent"))
        self._agent.get_env().set_state(checkpoint.tree("env"))
        if self._agent.replay is not None:
            checkpoint.load_replay(self._agent.replay)
        training = checkpoint.tree("training")
        for name, part in self._parts.items():
            if name in training["parts"] or name not in _NOT_IN_EARLIER:
                part.set_state(training["parts"][name])
        self._every.set_state(training["asked"])
        self._rng = training["rng"]

    def begin(self) -> None:
        """Puts the global generators back, after whatever `learn` drew from them on its way here."""
        if self._rng is not None:
            set_global_rng_state(self._rng)
            self._rng = None

    def is_due(self, step: int) -> bool:
        """Tells whether it is time for a checkpoint."""
        return self._every.due(step)

    def save(self, step: int, *, best: bool, anew: bool = False) -> Path:
        """Writes a checkpoint and returns where; `anew` also where there is one that knows less.

        Raises:
            UserError: if the disk is full or not writable; the checkpoints before are intact.
        """
        parts = {name: part.get_state() for name, part in self._parts.items()}
        training = {"rng": global_rng_state(), "asked": self._every.get_state(), "parts": parts}
        trees = {"agent": self._agent.get_state(), "env": self._agent.get_env().get_state(), "training": training}
        return self._checkpoints.save(step, trees, replay=self._agent.replay, best=best, anew=anew)
