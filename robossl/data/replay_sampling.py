"""From slots to batches: follows the links of drawn slots and gathers what lies there."""

from collections.abc import Mapping

import torch

from robossl.core import ArraySpec
from robossl.core.specs import image_keys
from robossl.data.batches import TransitionBatch, WindowBatch
from robossl.data.columns import Columns
from robossl.data.links import EpisodeLinks

OBS = "obs/"


class BatchReader:
    """Assembles batches from the slots of a replay; colour pictures are stacked on the way."""

    def __init__(
        self, columns: Columns, links: EpisodeLinks, observation: Mapping[str, ArraySpec], frame_stack: int
    ) -> None:
        self._columns = columns
        self._links = links
        self._keys = tuple(observation)
        self._stacked = image_keys(dict(observation))
        self._frame_stack = frame_stack

    def transitions(self, start: torch.Tensor, num_steps: int, gamma: float) -> TransitionBatch:
        """Returns transitions of up to `num_steps` steps from the slots `start` [B] on."""
        path = self._links.walk(start, num_steps)
        real = path[:, 1:] != path[:, :-1]
        rows = self._links.rows(path[:, :-1])
        powers = gamma ** torch.arange(num_steps + 1, dtype=torch.float64, device=start.device)
        powers = powers.to(torch.float32)
        terminated = (self._columns.take("terminated", rows) & real).any(dim=1)
        return TransitionBatch(
            obs=self.observe(start),
            action=self._columns.take("action", rows[:, 0]),
            reward=(self._columns.take("reward", rows) * real * powers[:-1]).sum(dim=1),
            next_obs=self.observe(path[:, -1]),
            discount=powers[real.sum(dim=1)] * ~terminated,
        )

    def windows(self, start: torch.Tensor, length: int) -> WindowBatch:
        """Returns windows of `length` observations from the slots `start` [B] on."""
        path = self._links.walk(start, length - 1)
        real = path[:, 1:] != path[:, :-1]
        rows = self._links.rows(path[:, :-1])
        first = torch.ones(len(start), 1, dtype=torch.bool, device=start.device)
        return WindowBatch(
            obs=self.observe(path),
            action=self._columns.take("action", rows) * real[..., None],
            reward=self._columns.take("reward", rows) * real,
            terminated=self._columns.take("terminated", rows) & real,
            mask=torch.cat([first, real], dim=1),
            frame_stack=self._frame_stack,
        )

    def observe(self, serial: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns the observations {key: [..., *shape]} of the slots [...], pictures [..., k * C, H, W]."""
        rows = self._links.rows(serial)
        stack = self._links.rows(self._links.stack(serial, self._frame_stack)) if self._stacked else rows
        obs = {}
        for key in self._keys:
            if key in self._stacked:
                obs[key] = self._columns.take(OBS + key, stack).flatten(serial.ndim, serial.ndim + 1)
            else:
                obs[key] = self._columns.take(OBS + key, rows)
        return obs
