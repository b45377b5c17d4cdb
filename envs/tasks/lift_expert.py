"""A scripted lifter: goes over the block, comes down around it, closes the fingers and takes it up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftExpert:
    """Goes over the block, comes down around it, closes the fingers and takes it up. Keeps no memory.

    Attributes:
        step_m: how far the tool moves along an axis for an action of 1.
        block_half_m: half the block's edge.
        yaw_rad: how far it may be turned between the fingers.
        share: of the way that is left, commanded at once; more of it, and a tool that lags overshoots.
        aside_m: how far to the side of the block the tool may be when it comes down.
        near_m: how far to the side of the block's centre the tool may be while the fingers are closed.
        level_m: how far above or below it; less, and one that comes down fast and sinks too deep lets go again.
        hover_m: how far above the block's centre the tool crosses the table.
        lift_m: the longest way with the block that `share` is taken of: faster, and it slides between the fingers.
    """

    step_m: float
    share: float
    block_half_m: float
    yaw_rad: float
    aside_m: float = 0.008
    near_m: float = 0.02
    level_m: float = 0.015
    hover_m: float = 0.09
    lift_m: float = 0.025

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """See `Policy.act`."""
        tool, block, goal = (privileged[f"{name}_position"] for name in ("tool", "block", "goal"))
        to_block = block - tool
        aside = np.sqrt((to_block[:, :2] ** 2).sum(axis=-1, keepdims=True))
        is_around = (aside < self.near_m) & (np.abs(to_block[:, 2:]) < self.level_m)
        is_held = is_around & (privileged["finger_opening"] < self._held_below_m)
        can_descend = aside < self.aside_m
        is_clear = to_block[:, 2:] < -self.hover_m / 2

        height = to_block[:, 2:] + np.where(can_descend | is_around, 0.0, self.hover_m)
        approach = np.concatenate([np.where(is_clear | can_descend, to_block[:, :2], 0.0), height], axis=-1)
        lift = np.clip(goal - block, -self.lift_m, self.lift_m)
        motion = np.where(is_held, lift, np.where(is_around, 0.0, approach))
        grip = np.where(is_around, -1.0, 1.0)
        action = np.concatenate([self.share * motion / self.step_m, grip], axis=-1)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    @property
    def _held_below_m(self) -> float:
        """How far apart fingers are at most that hold a block: where contacts are hard, it stays as it is turned."""
        width_m = 2 * self.block_half_m * (np.cos(self.yaw_rad) + np.sin(self.yaw_rad))
        return float(max(width_m, 2.16 * self.block_half_m + 0.003))
