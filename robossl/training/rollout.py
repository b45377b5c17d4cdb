"""A policy at work in an environment, one step at a time: what evaluation, videos and collection share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core.finite import checked_keys, require_finite, require_finite_step
from robossl.core.protocols import Array, BatchEnv, Obs, Policy, StepBatch


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of N worlds.

    Attributes:
        obs, privileged: {key: [N, ...]} before the action.
        action: [N, A].
        batch: what it led to.
    """

    obs: Obs
    privileged: Obs
    action: Array
    batch: StepBatch


class Rollout:
    """Runs the worlds first_world, first_world + 1, ... from their episode 0 on.

    Attributes:
        obs: {key: [N, ...]} the newest observations.

    Raises:
        UserError: if a first observation is not finite.
    """

    def __init__(self, env: BatchEnv, policy: Policy, *, first_world: int = 0) -> None:
        self._env, self._policy = env, policy
        self._checked = checked_keys(env.spec)
        self.obs = env.reset(first_world=first_world)
        require_finite(self.obs, self._checked)
        policy.reset(np.arange(env.num_worlds))

    def step(self) -> Moment:
        """Lets the policy act once.

        Raises:
            UserError: if an observation is not finite.
        """
        obs, privileged = self.obs, self._env.privileged()
        action = self._policy.act(obs, privileged)
        batch = self._env.step(action)
        require_finite_step(batch, self._checked)
        if len(batch.final_ids):
            self._policy.reset(np.asarray(batch.final_ids, np.int64))
        self.obs = batch.obs
        return Moment(obs, privileged, action, batch)


def ended(batch: StepBatch) -> NDArray[np.bool_]:
    """Returns [N], which worlds ended in this step."""
    return np.asarray(np.logical_or(batch.terminated, batch.truncated))
