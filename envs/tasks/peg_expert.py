"""A scripted inserter: goes over the box at a safe height, and down when it is over the middle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs


@dataclass(frozen=True, slots=True, kw_only=True)
class PegExpert:
    """Goes over the box, and down when the tip is over its middle. Keeps no memory.

    Attributes:
        step_m: how far the tool moves along an axis for an action of 1.
        rim_w_m: height of the box.
        aside_m: how far to the side of the box's middle the tip may be when it goes in.
        share: of the way that is left, commanded at once; more of it, and a tool that lags overshoots.
        above_m: how far over the rim the peg crosses the table.
        enter_m: the farthest step down: a faster one swerves.
    """

    step_m: float
    share: float
    rim_w_m: float
    aside_m: float
    above_m: float = 0.03
    enter_m: float = 0.015

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """See `Policy.act`."""
        tool, goal = privileged["tool_position"], privileged["goal_position"]
        to_goal = goal - tool
        aside = np.sqrt((to_goal[:, :2] ** 2).sum(axis=-1, keepdims=True))
        is_in = tool[:, 2:] < self.rim_w_m
        may_enter = (aside < self.aside_m) | (is_in & (aside < 4 * self.aside_m))
        is_clear = tool[:, 2:] > self.rim_w_m + self.above_m / 2
        horizontal = np.where(is_clear | may_enter, to_goal[:, :2], 0.0)
        height = np.where(may_enter, goal[:, 2:], self.rim_w_m + self.above_m)
        vertical = np.where(may_enter, np.maximum(height - tool[:, 2:], -self.enter_m), height - tool[:, 2:])
        motion = np.concatenate([horizontal, vertical], axis=-1)
        return np.clip(self.share * motion / self.step_m, -1.0, 1.0).astype(np.float32)
