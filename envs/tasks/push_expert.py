"""A scripted pusher: goes over the block, comes down behind it as seen from the goal, and pushes it there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs


@dataclass(frozen=True, slots=True, kw_only=True)
class PushExpert:
    """Goes over the block, comes down behind it and pushes it to the goal. Keeps no memory.

    Attributes:
        step_m: how far the tool moves along an axis for an action of 1.
        share: of the way that is left, commanded at once; more of it, and a tool that lags overshoots.
        arrived_m: the block is left alone when it is this near to the goal.
        standoff_m: from the block's centre to the tool when it comes down behind it.
        lane_m: how far to the side of the line from block to goal the tool may be while it pushes.
        push_m: the farthest step while pushing: slower than free motion, so that the block does not slide ahead.
        low_w_m, high_w_m: heights of the tool for pushing and for crossing over the block.
    """

    step_m: float
    share: float
    arrived_m: float = 0.02
    standoff_m: float = 0.06
    lane_m: float = 0.015
    push_m: float = 0.025
    low_w_m: float = 0.02
    high_w_m: float = 0.09

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """See `Policy.act`."""
        tool, block, goal = (privileged[f"{name}_position"] for name in ("tool", "block", "goal"))
        to_goal = goal - block[:, :2]
        distance = _norm(to_goal)
        ahead = to_goal / (distance + 1e-6)
        offset = tool[:, :2] - block[:, :2]
        along = (offset * ahead).sum(axis=-1, keepdims=True)
        aside = offset - along * ahead
        is_low = tool[:, 2:] < self.high_w_m - 0.02
        is_clear = along < -self.standoff_m + 0.015
        is_aligned = is_clear & (_norm(aside) < self.lane_m)
        can_push = (tool[:, 2:] < self.low_w_m + 0.015) & (along < 0) & (_norm(aside) < self.lane_m)

        over = -self.standoff_m * ahead - offset
        push = np.minimum(distance, self.push_m) * ahead - aside
        horizontal = np.where(can_push, push, np.where(is_low & ~is_aligned, 0.0, over))
        height = np.where(can_push | is_aligned, self.low_w_m, self.high_w_m)
        motion = np.concatenate([horizontal, height - tool[:, 2:]], axis=-1)
        motion = np.where((distance < self.arrived_m), 0.0, motion)
        return np.clip(self.share * motion / self.step_m, -1.0, 1.0).astype(np.float32)


def _norm(vector: Array) -> Array:
    return np.sqrt((vector * vector).sum(axis=-1, keepdims=True))
