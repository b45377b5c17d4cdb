"""Stacks of the newest frames: kept as a ring by whoever acts; stored frames stay single."""

import numpy as np
from numpy.typing import NDArray

from robossl.core.protocols import Obs, Tree
from robossl.core.specs import ArraySpec, image_keys


class FrameStack:
    """Keeps the last k colour pictures of N worlds and joins them along the channels, oldest first.

    At an episode's start the first frame fills the whole stack. Works on channels-last [N, H, W, C] arrays and gives
    [N, H, W, k * C]; other observations pass through. With k = 1 nothing is copied.
    """

    def __init__(self, num_frames: int, observation: dict[str, ArraySpec]) -> None:
        if num_frames < 1:
            raise ValueError(f"a frame stack needs at least one frame, got {num_frames}")
        self.num_frames = num_frames
        self._channels = {key: observation[key].shape[-1] for key in image_keys(observation)} if num_frames > 1 else {}
        self._stack: dict[str, NDArray[np.uint8]] = {}

    def reset(self, obs: Obs) -> Obs:
        """Starts every world's stack with its first frame."""
        self._stack = {key: np.concatenate([obs[key]] * self.num_frames, axis=-1) for key in self._channels}
        return {**obs, **{key: stack.copy() for key, stack in self._stack.items()}}

    def push(self, obs: Obs, final_ids: NDArray[np.int64], final_obs: Obs) -> tuple[Obs, Obs]:
        """Adds the newest frames; worlds that ended start anew.

        Args:
            obs: {key: [N, ...]}, for the worlds `final_ids` already of their next episodes.
            final_ids: [K].
            final_obs: {key: [K, ...]}, the last ones of the episodes that ended.

        Returns:
            The stacked obs and final_obs.
        """
        if not self._channels:
            return obs, final_obs
        stacked, stacked_final = dict(obs), dict(final_obs)
        for key, channels in self._channels.items():
            stack = self._stack[key]
            stacked_final[key] = np.concatenate([stack[final_ids][..., channels:], final_obs[key]], axis=-1)
            stack[..., :-channels] = stack[..., channels:].copy()
            stack[..., -channels:] = obs[key]
            stack[final_ids] = np.concatenate([obs[key][final_ids]] * self.num_frames, axis=-1)
            stacked[key] = stack.copy()
        return stacked, stacked_final

    def get_state(self) -> Tree:
        """Returns the frames kept."""
        return {key: stack.copy() for key, stack in self._stack.items()}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self._stack = {key: np.array(stack) for key, stack in state.items()}
