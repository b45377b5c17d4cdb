"""Policies for a BatchEnv: a trained agent, and random trial and error."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robossl.core.frames import FrameStack, channels_first
from robossl.core.protocols import BatchEnv, Obs
from robossl.core.seeding import Draws, Stream
from robossl.core.specs import ArraySpec
from robossl.training.agent import Predictor


class AgentPolicy:
    """Shows an agent the environment's pictures as it saw them in training: stacked and channels-first.

    Args:
        agent: what chooses.
        observation: the policy group of the environment's spec.
        frame_stack: as in training.
        deterministic: whether the agent's mean action is taken. Drawn actions come from one generator for all worlds,
            so that those of a world depend on how many there are.

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
    that the action of every single step is uniform in [-1, 1]. It depends on seed, world, episode and step alone.

    Args:
        env: where it acts.
        seed: of the actions; the worlds' own will do.
        hold_steps: mean number of steps that an action is held.
        draws: the class of the numbers, `Draws` or a faster one of the same bits.
    """

    def __init__(
        self, env: BatchEnv, *, seed: int, hold_steps: float = 1.0, draws: Callable[..., Draws] = Draws
    ) -> None:
        if hold_steps < 1:
            raise ValueError(f"an action is held for at least 1 step, got {hold_steps}")
        self._keys, self._seed, self._hold_steps, self._draws = env.episode_keys, seed, hold_steps, draws
        self._action = np.zeros((env.num_worlds, *env.spec.action.shape), np.float32)
        self._step = np.zeros(env.num_worlds, np.int64)

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""
        self._step[ids] = 0

    def act(self, obs: Obs, privileged: Obs) -> NDArray[np.float32]:
        """See `Policy.act`."""
        keys, purpose = self._keys(), "random policy"
        draws = self._draws(
            self._seed, Stream.EVAL, keys["world"], keys["episode"], purpose=purpose, decisions=self._step
        )
        unit = draws.uniform(shape=(1 + self._action.shape[1],))
        renew = (self._step == 0) | (unit[:, 0] * self._hold_steps < 1)
        self._action = np.where(renew[:, None], 2 * unit[:, 1:] - 1, self._action).astype(np.float32)
        self._step += 1
        return self._action.copy()
