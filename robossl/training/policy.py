"""Policies for a BatchEnv: a trained agent, and random trial and error."""

import numpy as np
from numpy.typing import NDArray

from robossl.core.frames import FrameStack, channels_first
from robossl.core.protocols import Obs
from robossl.core.specs import ArraySpec
from robossl.training.agent import Predictor


class AgentPolicy:
    """Shows an agent the environment's pictures as it saw them in training: stacked and channels-first.

    Args:
        agent: what chooses.
        observation: the policy group of the environment's spec.
        frame_stack: as in training.
        deterministic: whether the agent's mean action is taken.

    Attributes:
        seen: {key: [N, ...]} what the agent was shown last.
    """

    def __init__(
        self, agent: Predictor, observation: dict[str, ArraySpec], *, frame_stack: int, deterministic: bool = True
    ) -> None:
        self._agent, self._observation, self._deterministic = agent, observation, deterministic
        self._frames = FrameStack(frame_stack, observation)
        self._begins: set[int] = set()
        self.seen: Obs = {}

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""
        self._begins.update(ids.tolist())

    def act(self, obs: Obs, privileged: Obs) -> NDArray[np.float32]:
        """See `Policy.act`."""
        num_worlds = len(next(iter(obs.values())))
        if len(self._begins) == num_worlds:
            stacked = self._frames.reset(obs)
        else:
            begins = np.array(sorted(self._begins), np.int64)
            stacked, _ = self._frames.push(obs, begins, {key: value[begins] for key, value in obs.items()})
        self._begins.clear()
        self.seen = channels_first(stacked, self._observation)
        action, _ = self._agent.predict(self.seen, deterministic=self._deterministic)
        return np.asarray(action, np.float32)


class RandomPolicy:
    """Draws actions uniformly and holds each for a while: trial and error that gets somewhere.

    Independent noise at every step averages out; a held action explores further. The held time is geometric, so
    that the action of every single step is uniform in [-1, 1].

    Args:
        num_worlds: N.
        action_dim: A.
        generator: of all draws.
        hold_steps: mean number of steps that an action is held.
    """

    def __init__(
        self, num_worlds: int, action_dim: int, generator: np.random.Generator, *, hold_steps: float = 1.0
    ) -> None:
        if hold_steps < 1:
            raise ValueError(f"an action is held for at least 1 step, got {hold_steps}")
        self._generator, self._hold_steps = generator, hold_steps
        self._action = np.zeros((num_worlds, action_dim), np.float32)
        self._fresh = np.ones(num_worlds, bool)

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""
        self._fresh[ids] = True

    def act(self, obs: Obs, privileged: Obs) -> NDArray[np.float32]:
        """See `Policy.act`."""
        renew = self._fresh | (self._generator.random(len(self._action)) * self._hold_steps < 1)
        drawn = self._generator.uniform(-1, 1, self._action.shape).astype(np.float32)
        self._action = np.where(renew[:, None], drawn, self._action)
        self._fresh[:] = False
        return self._action.copy()
