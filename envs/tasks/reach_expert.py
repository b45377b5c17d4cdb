"""A scripted reacher: goes straight for the goal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachExpert:
    """Goes straight for the goal, slower the nearer it is.

    Attributes:
        step_m: how far the tool moves along an axis for an action of 1.
        share: of the way that is left, commanded at once; more of it, and a tool that lags overshoots.
    """

    step_m: float
    share: float

    def reset(self, ids: NDArray[np.int64]) -> None:
        """See `Policy.reset`."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """See `Policy.act`."""
        motion = privileged["goal_position"] - privileged["tool_position"]
        return np.clip(self.share * motion / self.step_m, -1.0, 1.0).astype(np.float32)
