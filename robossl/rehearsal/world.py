"""One world of a task, as a robot finds itself in it: moved physics step by physics step, judged decision by decision.

Its episodes are those of `robossl eval` with the same seed, but begin at rest: a robot does not start at full speed.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, Stream
from robossl.envs.config import EnvConfig
from robossl.envs.elements import element_id
from robossl.envs.engines import make_engine
from robossl.envs.make import make_task
from robossl.envs.sensors.quiet import switch_off_unused
from robossl.envs.start import Beginning, Starts

_GREATEST_STEP_S = 0.01
"""A task's physics may be coarser than this: its robot would be, too, and its messages late."""
_ONLY = np.zeros(1, np.int64)
"""The one world among the engine's worlds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a decision's time came to.

    Attributes:
        over: the episode has ended, by success, by failure, or because its time is up.
        metrics: the task's, of the episode so far.
    """

    over: bool
    success: bool
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyMotion:
    """Where a body is in the world, and how it moves.

    Attributes:
        position_w_m: [3].
        quaternion: [4], (w, x, y, z).
        linear_b_m_s, angular_b_rad_s: [3], in the body's own frame.
    """

    position_w_m: NDArray[np.float64]
    quaternion: NDArray[np.float64]
    linear_b_m_s: NDArray[np.float64]
    angular_b_rad_s: NDArray[np.float64]


class SimulatedWorld:
    """Steps one world.

    Attributes:
        step_s: of the physics.
        decision_s: time between two decisions of the task, and so between two verdicts.

    Raises:
        UnknownNameError: if `config` names no task of robossl's own.
    """

    def __init__(self, config: EnvConfig, *, seed: int) -> None:
        self.config, self._seed = config, seed
        self.task = make_task(config.id, config.difficulty)
        self.model: Any = copy.copy(self.task.build_model())  # the task may keep its own, for others
        switch_off_unused(self.model, (), self.task.spec.mjcf_sensors)
        self.model.opt.timestep /= math.ceil(self.model.opt.timestep / _GREATEST_STEP_S - 1e-9)
        self.engine = make_engine(config.engine, self.model, 1, config.num_threads or 1)
        self.step_s = float(self.model.opt.timestep)
        self.decision_s = 1.0 / self.task.spec.control_hz
        self._substeps_per_decision = max(1, round(self.decision_s / self.step_s))
        self._memory = self.task.new_memory(1)
        self._starts = Starts(self.task, self.model, self._memory)
        self._beginning = Beginning(self.engine, self._memory)
        self._recorded: list[dict[str, Array]] = []
        self._decisions = 0
        self._no_action = np.zeros((1, *self.task.spec.action.shape), np.float32)

    def begin(self, world: int) -> None:
        """Starts the first episode of a world, at rest."""
        draws = Draws(self._seed, Stream.EVAL, np.array([world]), np.zeros(1, np.int64))
        self._beginning(self._starts.draw(draws), _ONLY)
        self.engine.write("qvel", np.zeros((1, self.model.nv)), _ONLY)
        self.engine.forward(_ONLY)
        self._recorded, self._decisions = [], 0

    def step(self, ctrl: NDArray[np.float64], *, judged: bool) -> Verdict | None:
        """Makes one physics step.

        Args:
            ctrl: [num_actuators].
            judged: whether the step belongs to the episode; before its start and after its end none does.

        Returns:
            The verdict where a decision's time is over.
        """
        more = judged and len(self._recorded) + 1 < self._substeps_per_decision
        recorded = self.engine.step(ctrl[None], 1, self.task.spec.record, more=more)
        if not judged:
            self._recorded = []
            return None
        self._recorded.append(recorded)
        if len(self._recorded) < self._substeps_per_decision:
            return None
        return self._judge()

    def joint(self, name: str) -> tuple[float, float]:
        """Returns a joint's position and velocity.

        Raises:
            UnknownNameError: if the model has none of that name.
        """
        joint = element_id(self.model, "joint", name)
        qpos, qvel = self.engine.view("qpos")[0], self.engine.view("qvel")[0]
        return float(qpos[self.model.jnt_qposadr[joint]]), float(qvel[self.model.jnt_dofadr[joint]])

    def body(self, name: str) -> BodyMotion:
        """Returns a body's motion.

        Raises:
            UnknownNameError: if the model has none of that name.
        """
        body = element_id(self.model, "body", name)
        position = self.engine.view("xpos")[0, body].copy()
        rotation = self.engine.view("xmat")[0, body].reshape(3, 3)
        linear, angular = self.engine.jac(body, position[None])
        qvel = self.engine.view("qvel")[0]
        return BodyMotion(
            position_w_m=position,
            quaternion=self.engine.view("xquat")[0, body].copy(),
            linear_b_m_s=rotation.T @ (linear[0] @ qvel),
            angular_b_rad_s=rotation.T @ (angular[0] @ qvel),
        )

    def named_values(self) -> dict[str, float]:
        """Returns every number that the task's vectors have a name for."""
        seen = self.task.observe(self.engine, self._memory)
        return {
            name: float(value)
            for key, spec in self.task.spec.vectors.items()
            for name, value in zip(spec.names, np.asarray(seen[key])[0], strict=True)
        }

    def close(self) -> None:
        """Ends the engine's threads."""
        self.engine.close()

    def _judge(self) -> Verdict:
        recorded = {
            name: np.concatenate([part[name] for part in self._recorded], axis=1) for name in self.task.spec.record
        }
        self._recorded = []
        self._decisions += 1
        diverged = np.array(self.engine.diverged)
        outcome = self.task.outcome(self.engine, self._no_action, recorded, self._memory)
        outcome = outcome.forfeited(diverged, self.task.spec.reward_weights)
        success = bool(np.asarray(outcome.success)[0])
        ended = bool(np.asarray(outcome.terminated)[0] | diverged[0]) or success
        return Verdict(
            over=ended or self._decisions >= self.task.spec.max_episode_steps,
            success=success,
            metrics={name: float(np.asarray(value)[0]) for name, value in outcome.metrics.items()},
        )
