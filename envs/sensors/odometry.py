"""Wheel odometry: what a robot in the plane believes of its motion."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, Draws, UserError
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.fitting import fit
from robossl.envs.sensors.sensor import Memory, Sensor

_NAMES = ("forward_m", "left_m", "turn_rad", "x_m", "y_m", "sin_yaw", "cos_yaw")
_UNITS = ("m", "m", "rad", "m", "m", "1", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Odometry(Sensor):
    """Reads [7]: a body's motion in its own frame since the last decision, and the pose that such motions add up to.

    The pose begins at zero with every episode. It is exact where both errors are zero; else it drifts.

    Attributes:
        scale_std: relative error of all lengths and, independently, of all angles; drawn for each episode.
        noise_std: relative error of each single motion.
    """

    body: str
    scale_std: float = 0.0
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        fit(self, Odometry, "odometry's ", is_option=False)
        for name in ("scale_std", "noise_std"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"odometry's {name} must be finite and not negative, got {getattr(self, name):g}")

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        element_id(model, "body", self.body)
        return ArraySpec(shape=(len(_NAMES),), names=_NAMES, units=_UNITS)

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Sensor.new_memory`: true pose, believed motion and pose (x, y, yaw), and scale of lengths and angles."""
        return {name: np.zeros((num_worlds, 3)) for name in ("true_w", "motion", "pose", "scale")}

    def begin(self, engine: Engine, memory: Memory, ids: NDArray[np.int64], draws: Draws) -> None:
        """See `Sensor.begin`."""
        memory["true_w"][ids] = self._pose_w(engine)[ids]
        memory["scale"][ids] = 1 + self.scale_std * draws.normal((2,))[:, [0, 0, 1]].astype(np.float64)

    def advance(self, engine: Engine, memory: Memory, draws: Draws) -> None:
        """See `Sensor.advance`."""
        pose_w = self._pose_w(engine)
        step_w = pose_w - memory["true_w"]
        step_w[:, 2] -= 2 * np.pi * np.round(step_w[:, 2] / (2 * np.pi))
        motion = _turned(step_w, -(memory["true_w"][:, 2] + step_w[:, 2] / 2))
        motion *= memory["scale"]
        if self.noise_std:
            motion *= 1 + self.noise_std * draws.normal((3,)).astype(np.float64)
        memory["true_w"][...], memory["motion"][...] = pose_w, motion
        memory["pose"] += _turned(motion, memory["pose"][:, 2] + motion[:, 2] / 2)

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        motion, pose = memory["motion"][ids], memory["pose"][ids]
        yaw = pose[:, 2:]
        return np.concatenate([motion, pose[:, :2], np.sin(yaw), np.cos(yaw)], axis=1).astype(np.float32)

    def _pose_w(self, engine: Engine) -> NDArray[np.float64]:
        """Returns [N, 3]: x, y and yaw of the body."""
        body = element_id(engine.model, "body", self.body)
        pos, mat = (np.asarray(engine.read(name)[:, body], np.float64) for name in ("xpos", "xmat"))
        yaw = np.arctan2(np.ascontiguousarray(mat[:, 3]), np.ascontiguousarray(mat[:, 0]))
        return np.stack([pos[:, 0], pos[:, 1], yaw], axis=1)


def _turned(motion: NDArray[np.float64], yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turns the first two columns of [N, 3] by `yaw` [N]; the third is kept."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y = motion[:, 0], motion[:, 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y, motion[:, 2]], axis=1)
