"""PPO's rollout: observations in their own dtype, advantages, shuffled batches, and windows for the objectives."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from gymnasium import spaces
from torch import Tensor

from robossl.agents.memory import require_memory
from robossl.agents.observations import observation_shapes
from robossl.core import Array, ArraySpec, Obs
from robossl.data.batches import WindowBatch
from robossl.data.columns import Columns

_OBS = "obs/"


@dataclass(frozen=True, slots=True)
class RolloutBatch:
    """B steps. Attributes: obs {key: [B, ...]}, action [B, A], everything else [B]."""

    obs: dict[str, Tensor]
    action: Tensor
    old_value: Tensor
    old_log_prob: Tensor
    advantage: Tensor
    value_target: Tensor


class RolloutBuffer:
    """Holds T steps of N worlds; step t of world n lies in row t * N + n.

        row       0 ... N-1 | N ... 2N-1 | ...      obs, action: columns [T * N, ...]
        step          0     |     1      | ...      reward, done, value, log_prob, advantage, returns: [T, N]

    `action[t]` was chosen from `obs[t]`; `done[t]` tells that it ended the episode, so that `obs[t + 1]` is of the next
    one. The last observation of an episode is not kept.

    Args:
        num_steps: T.
        observation_space: of the environment.
        action_dim: A.
        num_worlds: N.
        gamma: discount.
        gae_lambda: lambda of generalised advantage estimation.
        device: where everything lies.
        frame_stack: how many frames a colour picture stacks.

    Raises:
        UserError: if it does not fit into memory.
    """

    def __init__(
        self,
        num_steps: int,
        observation_space: spaces.Dict,
        action_dim: int,
        *,
        num_worlds: int,
        gamma: float,
        gae_lambda: float,
        device: torch.device,
        frame_stack: int = 1,
    ) -> None:
        shapes = observation_shapes(observation_space)
        specs = {_OBS + key: ArraySpec(shape=shape, dtype=dtype) for key, (shape, dtype) in shapes.items()}
        specs["action"] = ArraySpec(shape=(action_dim,))
        self.num_steps, self.num_worlds = num_steps, num_worlds
        self.gamma, self.gae_lambda, self.device = gamma, gae_lambda, device
        num_rows = num_steps * num_worlds
        num_bytes = num_rows * sum(spec.num_bytes for spec in specs.values())
        require_memory(num_bytes, device, what=f"a rollout of {num_steps} steps of {num_worlds} worlds")
        self._columns = Columns(specs, num_rows, device)
        self._keys, self._frame_stack = tuple(shapes), frame_stack
        self.reward, self.value, self.log_prob, self.advantage, self.returns = (
            torch.zeros(num_steps, num_worlds, device=device) for _ in range(5)
        )
        self.done = torch.zeros(num_steps, num_worlds, dtype=torch.bool, device=device)
        self.length = 0

    def reset(self) -> None:
        """Forgets the rollout."""
        self.length = 0

    def add(self, obs: Obs, action: Array, reward: Array, done: Array, value: Tensor, log_prob: Tensor) -> None:
        """Stores a step: obs {key: [N, ...]}, action [N, A], the rest [N]."""
        rows = self.length * self.num_worlds + torch.arange(self.num_worlds)
        self._columns.put(rows, {**{_OBS + key: obs[key] for key in self._keys}, "action": action})
        self.reward[self.length] = torch.as_tensor(reward, device=self.device)
        self.done[self.length] = torch.as_tensor(done, device=self.device)
        self.value[self.length] = value
        self.log_prob[self.length] = log_prob
        self.length += 1

    def compute_returns_and_advantage(self, last_value: Tensor) -> None:
        """Fills advantage and returns (arXiv 1506.02438, equation 16).

        Args:
            last_value: [N], of the observations after the last step.
        """
        next_value, advantage = last_value, torch.zeros_like(last_value)
        for t in reversed(range(self.num_steps)):
            goes_on = (~self.done[t]).float()
            delta = self.reward[t] + self.gamma * goes_on * next_value - self.value[t]
            advantage = delta + self.gamma * self.gae_lambda * goes_on * advantage
            self.advantage[t] = advantage
            next_value = self.value[t]
        torch.add(self.advantage, self.value, out=self.returns)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Returns the rows of all steps in random order, split into batches [B]; the last one may be smaller."""
        order = torch.randperm(self.num_steps * self.num_worlds, generator=generator, device=generator.device)
        return torch.split(order, batch_size)

    def batch(self, rows: Tensor) -> RolloutBatch:
        """Returns the steps in the rows [B]."""
        return RolloutBatch(
            obs=self._observe(rows),
            action=self._columns.take("action", rows),
            old_value=self.value.flatten()[rows],
            old_log_prob=self.log_prob.flatten()[rows],
            advantage=self.advantage.flatten()[rows],
            value_target=self.returns.flatten()[rows],
        )

    def windows(self, batch_size: int, length: int, generator: torch.Generator) -> WindowBatch:
        """Draws windows of `length` observations, their first ones uniformly; none goes on in another episode.

        Raises:
            ValueError: if the rollout is shorter.
        """
        if length > self.num_steps:
            raise ValueError(f"windows of {length} steps do not fit into a rollout of {self.num_steps}")
        device = generator.device
        start = torch.randint(self.num_steps - length + 1, (batch_size, 1), generator=generator, device=device)
        world = torch.randint(self.num_worlds, (batch_size, 1), generator=generator, device=device)
        step = start + torch.arange(length, device=device)  # [B, T]
        goes_on = (~self.done[step[:, :-1], world]).cumprod(dim=1).bool()
        mask = torch.cat([torch.ones_like(start, dtype=torch.bool), goes_on], dim=1)
        seen = (start + mask.cumsum(dim=1) - 1) * self.num_worlds + world
        acted = step[:, :-1] * self.num_worlds + world
        return WindowBatch(
            obs=self._observe(seen),
            action=self._columns.take("action", acted).clamp(-1.0, 1.0) * goes_on[..., None],
            reward=self.reward[step[:, :-1], world] * goes_on,
            terminated=torch.zeros_like(goes_on),
            mask=mask,
            frame_stack=self._frame_stack,
        )

    def vectors(self) -> dict[str, Tensor]:
        """Returns the vectors of all steps, {key: [T * N, D]}, and the series of vectors that a step has."""
        rows = torch.arange(self.num_steps * self.num_worlds, device=self.device)
        keys = [key for key in self._keys if len(self._columns.specs[_OBS + key].shape) < 3]
        return {key: self._columns.take(_OBS + key, rows) for key in keys}

    def _observe(self, rows: Tensor) -> dict[str, Tensor]:
        return {key: self._columns.take(_OBS + key, rows) for key in self._keys}
