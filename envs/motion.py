"""How an arm's joints follow their targets: at once, or as a robot's guard and controller lead them.

A policy that is to push on a robot must learn under what bounds the robot's joints; docs/rehearsal.md tells what it
costs where it did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, MotionSpec, UserError
from robossl.core.motion_filter import MotionBounds, moved, rate_towards
from robossl.envs.fitting import fit
from robossl.envs.host import Constants, namespace_of
from robossl.envs.task import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionConfig:
    """Leads joints; each part is what the robot's profile has of the same name.

    Attributes:
        acceleration_rad_s2: greatest of each joint's commands; where None, targets are commanded as they are.
        velocity_rad_s: likewise; the arm's own limits where None.
        blend_s: time over which the velocity limits rise from zero at an episode's start.
        horizon_periods: the time, in decisions, in which a joint goes to its command, in a straight line that the next
            command's takes over from; where None, servos are given each command at once.
    """

    acceleration_rad_s2: tuple[float, ...] | None = None
    velocity_rad_s: tuple[float, ...] | None = None
    blend_s: float = 0.0
    horizon_periods: float | None = None

    def __post_init__(self) -> None:
        """Checks the numbers."""
        fit(self, MotionConfig, "env.motion.")
        for name in ("acceleration_rad_s2", "velocity_rad_s"):
            values = getattr(self, name)
            if values is not None and not all(0 < value < np.inf for value in values):
                raise UserError(f"env.motion: {name} must be positive and finite, got {values}")
        if self.acceleration_rad_s2 is None and (self.velocity_rad_s is not None or self.blend_s):
            raise UserError("env.motion: velocity_rad_s and blend_s need acceleration_rad_s2, too")
        if not 0 <= self.blend_s < np.inf:
            raise UserError(f"env.motion: blend_s must be finite and not negative, got {self.blend_s}")
        if self.horizon_periods is not None and not 1 <= self.horizon_periods < np.inf:
            raise UserError(f"env.motion: horizon_periods must be finite and at least 1, got {self.horizon_periods}")

    @property
    def is_on(self) -> bool:
        """Tells whether anything is asked for."""
        return self != MotionConfig()


class LedJoints:
    """Leads the position commands of D joints in N worlds, as the guard does on the robot.

    By the same filter, once a decision, from the last command on, and at first from where the joints are, at rest.

    Args:
        names: of the joints.
        low, high, velocity: [D] the arm's own limits, in rad and rad/s.
        config: the robot's.
        period_s: between two decisions.

    Raises:
        UserError: if the numbers are not of D joints.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        velocity: NDArray[np.float64],
        config: MotionConfig,
        period_s: float,
    ) -> None:
        for key in ("acceleration_rad_s2", "velocity_rad_s"):
            values = getattr(config, key)
            if values is not None and len(values) != len(names):
                raise UserError(f"env.motion: {key} needs {len(names)} numbers, one a joint, got {len(values)}")
        self._config, self._period_s = config, period_s
        rate = tuple(map(float, velocity)) if config.velocity_rad_s is None else config.velocity_rad_s
        self.spec = MotionSpec(
            joints=tuple(names),
            velocity_rad_s=rate,
            acceleration_rad_s2=config.acceleration_rad_s2,
            blend_s=config.blend_s,
            horizon_periods=config.horizon_periods,
        )
        self._numbers = None
        if config.acceleration_rad_s2 is not None:
            parts = (low, high, rate, config.acceleration_rad_s2)
            self._numbers = Constants(*(np.array(part, np.float64) for part in parts))

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns memory for N worlds; zero is an episode's start."""
        if self._numbers is None:
            return {}
        zeros = np.zeros((num_worlds, len(self.spec.joints)))
        return {"command_rad": zeros, "command_rad_s": zeros.copy(), "num_commands": np.zeros(num_worlds, np.int64)}

    def lead(self, targets: Array, joint_pos: Array, memory: Memory) -> Array:
        """Returns the commands [N, D] in rad on the way to `targets` [N, D] from joints at `joint_pos` [N, D]."""
        if self._numbers is None:
            return targets
        xp = namespace_of(targets)
        low, high, rate, acceleration = self._numbers.beside(targets)
        bounds = MotionBounds(low=low, high=high, rate=rate, acceleration=acceleration, period_s=self._period_s)
        count = memory["num_commands"][:, None]
        start = xp.clip(xp.asarray(joint_pos, dtype=xp.float64), low, high)
        value = xp.where(count > 0, memory["command_rad"], start)
        velocity = rate_towards(xp, targets, value, memory["command_rad_s"], bounds, scale=self._scale(xp, count))
        memory["command_rad"][...] = command = moved(xp, value, velocity, bounds)
        memory["command_rad_s"][...] = velocity
        memory["num_commands"] += 1
        return xp.asarray(command, copy=True)

    def _scale(self, xp: Any, count: Array) -> float | Array:
        """Returns the share of the velocity limits that decisions number `count` [N, 1] may use."""
        if not self._config.blend_s:
            return 1.0
        share = xp.asarray(count, dtype=xp.float64) * (self._period_s / self._config.blend_s)
        return xp.clip(share, None, 1.0)
