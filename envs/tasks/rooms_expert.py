"""The scripted expert of the rooms: pure pursuit (Coulter, CMU-RI-TR-92-01) of the shortest path, on the true map.

The path keeps a little room to everything, and so does the robot as long as it looks only a little way ahead.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs

_GAIN = 0.8  # of what is left to turn
_TURNS_ONLY_RAD = 0.7  # beyond this the robot turns where it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class PathExpert:
    """Steers to the point of the shortest path that lies ahead. Keeps no memory.

    Attributes:
        period_s: of a decision.
        yaw_rate_rad_s: at full turn.
        step_rad_s: by how much the yaw rate changes in a decision at most.
    """

    period_s: float
    yaw_rate_rad_s: float
    step_rad_s: float

    def reset(self, ids: NDArray[np.int64]) -> None:
        """Does nothing: there is no memory."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """Returns forward speed and yaw rate [N, 2] from `privileged`'s pose and way; `obs` is not looked at."""
        pose, way = (np.asarray(privileged[key], np.float32) for key in ("pose", "way"))
        away = way - pose[:, :2]
        cos, sin = np.cos(pose[:, 2]), np.sin(pose[:, 2])
        ahead, left = cos * away[:, 0] + sin * away[:, 1], cos * away[:, 1] - sin * away[:, 0]
        error = np.arctan2(left, ahead)
        forward = np.where(np.abs(error) < _TURNS_ONLY_RAD, np.cos(error) ** 2, 0.0)
        turn = np.clip(self._rate(error) / self.yaw_rate_rad_s, -1.0, 1.0)
        return np.stack([forward, turn], axis=1).astype(np.float32)

    def _rate(self, error_rad: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the greatest yaw rates [N] from which the robot comes to rest without turning too far."""
        rate = np.abs(error_rad) * (_GAIN / self.period_s)
        return np.sign(error_rad) * np.where(rate > self.step_rad_s, (rate + self.step_rad_s) / 2, rate)
