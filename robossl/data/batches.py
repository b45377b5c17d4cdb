"""What samplers hand to objectives and agents: torch batches, batch-major, pictures channels-first and stacked."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class TransitionBatch:
    """B transitions of n steps each.

    Attributes:
        obs, next_obs: {key: [B, ...]}; pictures [B, k * C, H, W], uint8 where they are stored so; vectors [B, D].
        action: [B, A].
        reward: [B], the discounted sum of up to n rewards.
        discount: [B], what the value of `next_obs` is worth: gamma ** n, 0 where the episode terminated. An episode cut
            by a time limit is bootstrapped from its true last observation.
    """

    obs: dict[str, torch.Tensor]
    action: torch.Tensor
    reward: torch.Tensor
    next_obs: dict[str, torch.Tensor]
    discount: torch.Tensor

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.action.device


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """B windows of T consecutive observations of one episode each, with the T - 1 actions between them.

    Beyond an episode's end the last observation is repeated, action and reward are zero, terminated is False.

    Attributes:
        obs: {key: [B, T, ...]}; pictures [B, T, k * C, H, W], uint8 where they are stored so; vectors [B, T, D].
        action: [B, T - 1, A].
        reward: [B, T - 1].
        terminated: [B, T - 1] bool, whether the action ended the episode.
        mask: [B, T] bool, which observations are real; action t is real where mask[:, t + 1] is.
        frame_stack: k.
    """

    obs: dict[str, torch.Tensor]
    action: torch.Tensor
    reward: torch.Tensor
    terminated: torch.Tensor
    mask: torch.Tensor
    frame_stack: int = 1

    @property
    def coloured(self) -> tuple[str, ...]:
        """The keys of RGB pictures: bytes, of three channels before they were stacked."""
        channels = 3 * self.frame_stack
        return tuple(
            key
            for key, value in self.obs.items()
            if value.dtype == torch.uint8 and value.ndim == 5 and value.shape[2] == channels
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.mask.device

    def step(self, t: int) -> dict[str, torch.Tensor]:
        """Returns the observations {key: [B, ...]} at step t; negative t counts from the end."""
        return {key: value[:, t] for key, value in self.obs.items()}
