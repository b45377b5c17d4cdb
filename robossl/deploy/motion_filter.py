"""The motion of one robot's commands inside bounds: the state between two periods; its maths is in `robossl.core`."""

import numpy as np
from numpy.typing import NDArray

from robossl.core.motion_filter import MotionBounds, admissible, braking, feasible, moved, rate_towards

Vector = NDArray[np.float64]


class MotionFilter:
    """The state of D values that are commanded once per period, and their bounds.

    Every admissible state has an admissible successor: braking. A state is admissible when its value is inside the
    bounds and its rate can be braked before them.
    """

    def __init__(self, *, low: Vector, high: Vector, rate: Vector, acceleration: Vector, period_s: float) -> None:
        low, high, rate, acceleration = (np.array(bound, np.float64) for bound in (low, high, rate, acceleration))
        bounds = np.concatenate([low, high, rate, acceleration, [period_s]])
        if not np.isfinite(bounds).all():
            raise ValueError(f"bounds of a motion must be finite, got {bounds}")
        if (low > high).any() or min(rate.min(), acceleration.min(), period_s) <= 0:
            raise ValueError("bounds of a motion must have low <= high and positive rate, acceleration and period")
        self.bounds = MotionBounds(low=low, high=high, rate=rate, acceleration=acceleration, period_s=period_s)
        self.value = (low + high) / 2
        self.velocity = np.zeros_like(self.value)

    def start(self, value: Vector) -> None:
        """Starts at rest.

        Raises:
            ValueError: if the value is not inside the bounds.
        """
        low, high = self.bounds.low, self.bounds.high
        if not ((value >= low) & (value <= high)).all():
            raise ValueError(f"{value} is outside [{low}, {high}]")
        self.value = np.array(value, np.float64)
        self.velocity = np.zeros_like(self.value)

    def place(self, value: Vector, velocity: Vector) -> None:
        """Takes the nearest admissible state to a value [D] and a velocity [D]."""
        self.value, self.velocity = admissible(np, value, velocity, self.bounds)

    def step_velocity(self, target: Vector, *, scale: float = 1.0) -> Vector:
        """Returns the velocity [D] of the next period that goes towards `target` [D] and can stop there.

        Args:
            target: finite; beyond a bound, the bound is meant.
            scale: share of the rate that may be used.
        """
        return np.asarray(rate_towards(np, target, self.value, self.velocity, self.bounds, scale=scale))

    def creeping_velocity(self, target: Vector, *, scale: float = 1.0) -> Vector:
        """Returns the velocity [D] of the next period that goes towards `target` [D] in a straight line.

        It is so slow that one more period ends it; from a faster motion it first brakes.

        Args:
            target: finite; beyond a bound, the bound is meant.
            scale: share of that velocity.
        """
        bounds = self.bounds
        way = np.clip(target, bounds.low, bounds.high) - self.value
        time_s = max(bounds.period_s, float((np.abs(way) / np.minimum(bounds.step, bounds.rate)).max()))
        return np.asarray(feasible(np, way * (scale / time_s), self.value, self.velocity, bounds))

    def braking_velocity(self) -> Vector:
        """Returns the velocity [D] of the next period that stops soonest."""
        return np.asarray(braking(np, self.velocity, self.bounds))

    def move(self, velocity: Vector) -> Vector:
        """Applies a velocity that one of the methods above gave, and returns the new value [D]."""
        self.velocity = velocity
        self.value = moved(np, self.value, velocity, self.bounds)
        return self.value.copy()

    def stopping_path(self, velocity: Vector) -> Vector:
        """Returns the values [K, D] of the next period at `velocity` and of braking after it, until all stand still."""
        step, period_s = self.bounds.step, self.bounds.period_s
        num_periods = int(np.ceil(np.abs(velocity) / step).max(initial=0.0)) + 1
        after = np.arange(num_periods)[:, None] * step
        velocities = np.sign(velocity) * np.maximum(np.abs(velocity) - after, 0.0)
        return np.asarray(self.value + np.cumsum(velocities, axis=0) * period_s)
