"""From pictures as environments give them to pictures as networks take them: stacks of frames, channels first.

Stored frames stay single: the stack is kept as a ring by whoever acts.
"""

import numpy as np
from numpy.typing import NDArray

from robossl.core.protocols import Obs, Tree
from robossl.core.specs import ArraySpec, image_keys


class FrameStack:
    """Keeps the last k colour pictures of N worlds and joins them along the channels, oldest first.

    At an episode's start the first frame fills the whole stack. Works on channels-last [N, H, W, C] arrays and gives
    [N, H, W, k * C]; other observations pass through. With k = 1 nothing is copied. In memory the stacks lie
    channels-first, so that `channels_first` of them is free.
    """

    def __init__(self, num_frames: int, observation: dict[str, ArraySpec]) -> None:
        if num_frames < 1:
            raise ValueError(f"a frame stack needs at least one frame, got {num_frames}")
        self.num_frames = num_frames
        self._channels = {key: observation[key].shape[-1] for key in image_keys(observation)} if num_frames > 1 else {}
        self._stack: dict[str, NDArray[np.uint8]] = {}  # {key: [N, k * C, H, W]}

    def reset(self, obs: Obs) -> Obs:
        """Starts every world's stack with its first frame."""
        self._stack = {key: self._filled(obs[key]) for key in self._channels}
        return {**obs, **{key: _last(stack.copy()) for key, stack in self._stack.items()}}

    def push(self, obs: Obs, final_ids: NDArray[np.int64], final_obs: Obs) -> tuple[Obs, Obs]:
        """Adds the newest frames; worlds that ended start anew.

        Args:
            obs: {key: [N, ...]}, for the worlds `final_ids` already of their next episodes.
            final_ids: [K].
            final_obs: {key: [K, ...]}, the last ones of the episodes that ended.

        Returns:
            The stacked obs and final_obs.
        """
        stacked, stacked_final = dict(obs), dict(final_obs)
        for key, channels in self._channels.items():
            older = self._stack[key][:, channels:]
            stacked_final[key] = _last(_joined(older[final_ids], final_obs[key]))
            stack = _joined(older, obs[key])
            stack[final_ids] = self._filled(obs[key][final_ids])
            self._stack[key] = stack
            stacked[key] = _last(stack.copy())
        return stacked, stacked_final

    def get_state(self) -> Tree:
        """Returns the frames kept."""
        return {key: stack.copy() for key, stack in self._stack.items()}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self._stack = {key: np.array(stack) for key, stack in state.items()}

    def _filled(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.concatenate([np.ascontiguousarray(_first(frames))] * self.num_frames, axis=1)


def channels_first(obs: Obs, observation: dict[str, ArraySpec]) -> Obs:
    """Turns every picture from [..., H, W, C] to [..., C, H, W], contiguous; other observations pass through.

    This is the one border between environments, episodes and robots on one side and networks on the other.
    """
    return {
        key: np.ascontiguousarray(_first(value)) if observation[key].is_image else value for key, value in obs.items()
    }


def _joined(older: NDArray[np.uint8], newest: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Joins [N, D, H, W] and [N, H, W, C] to [N, D + C, H, W]."""
    return np.concatenate([older, np.ascontiguousarray(_first(newest))], axis=1)


def _first(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.moveaxis(pictures, -1, -3)


def _last(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.moveaxis(pictures, -3, -1)
