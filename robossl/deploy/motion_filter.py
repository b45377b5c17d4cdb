"""Keeps a command inside bounds on its value, first and second difference, exactly and in discrete time.

The value is what is commanded and the differences are taken between commands one period apart: positions with bounds
on velocity and acceleration for an arm, velocities with bounds on acceleration and jerk for a base. Clamping the value
after limiting its rate breaks the second bound, and the braking distance of continuous time is too short by up to one
period; so the rate is bounded by what can still be braked in whole periods before the value's bound.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
_ROUNDING = 1e-9
"""A speed this much above one period's braking still counts as one period's."""


def braking_rate(room: Vector, acceleration: Vector, period_s: float) -> Vector:
    """Returns the greatest rate [D] from which braking stops within `room` [D], this period's motion included.

    Braking from rate v moves v*dt + (v - a*dt)*dt + ..., with n periods after this one (n + 1)*(v*dt - n*a*dt^2/2).
    """
    room = np.maximum(room, 0.0)
    step = acceleration * period_s
    periods = np.ceil((np.sqrt(1.0 + 8.0 * room / (step * period_s)) - 3.0) / 2.0)
    periods = np.maximum(periods, 0.0)
    return np.asarray(room / (period_s * (periods + 1.0)) + step * periods / 2.0)


class MotionFilter:
    """The state and bounds of D values that are commanded once per period.

    Every admissible state has an admissible successor: braking. A state is admissible when its value is inside the
    bounds and its rate can be braked before them.
    """

    def __init__(self, *, low: Vector, high: Vector, rate: Vector, acceleration: Vector, period_s: float) -> None:
        self.low, self.high, self.rate, self.acceleration = (
            np.array(bound, np.float64) for bound in (low, high, rate, acceleration)
        )
        bounds = np.concatenate([self.low, self.high, self.rate, self.acceleration, [period_s]])
        if not np.isfinite(bounds).all():
            raise ValueError(f"bounds of a motion must be finite, got {bounds}")
        if (self.low > self.high).any() or min(self.rate.min(), self.acceleration.min(), period_s) <= 0:
            raise ValueError("bounds of a motion must have low <= high and positive rate, acceleration and period")
        self.period_s = period_s
        self.value = (self.low + self.high) / 2
        self.velocity = np.zeros_like(self.value)

    def start(self, value: Vector) -> None:
        """Starts at rest.

        Raises:
            ValueError: if the value is not inside the bounds.
        """
        if not ((value >= self.low) & (value <= self.high)).all():
            raise ValueError(f"{value} is outside [{self.low}, {self.high}]")
        self.value = np.array(value, np.float64)
        self.velocity = np.zeros_like(self.value)

    def place(self, value: Vector, velocity: Vector) -> None:
        """Takes the nearest admissible state to a value [D] and a velocity [D]."""
        self.value = np.clip(value, self.low, self.high)
        slowest = -braking_rate(self.value - self.low, self.acceleration, self.period_s)
        fastest = braking_rate(self.high - self.value, self.acceleration, self.period_s)
        self.velocity = np.clip(np.clip(velocity, -self.rate, self.rate), slowest, fastest)

    def step_velocity(self, target: Vector, *, scale: float = 1.0) -> Vector:
        """Returns the velocity [D] of the next period that goes towards `target` [D] and can stop there.

        Args:
            target: finite; beyond a bound, the bound is meant.
            scale: share of the rate that may be used.
        """
        way = np.clip(target, self.low, self.high) - self.value
        speed = np.minimum(braking_rate(np.abs(way), self.acceleration, self.period_s), self.rate * scale)
        return self._feasible(np.sign(way) * speed, self.acceleration * self.period_s)

    def braking_velocity(self) -> Vector:
        """Returns the velocity [D] of the next period that stops soonest."""
        step = self.acceleration * self.period_s
        slower = self.velocity - np.copysign(step, self.velocity)
        return np.where(np.abs(self.velocity) <= step * (1 + _ROUNDING), 0.0, slower)

    def move(self, velocity: Vector) -> Vector:
        """Applies a velocity that one of the two above gave, and returns the new value [D]."""
        self.velocity = velocity
        # The bound is met up to rounding; the clip takes the last bit away and nothing else.
        self.value = np.clip(self.value + velocity * self.period_s, self.low, self.high)
        return self.value.copy()

    def stopping_path(self, velocity: Vector) -> Vector:
        """Returns the values [K, D] of the next period at `velocity` and of braking after it, until all stand still."""
        step = self.acceleration * self.period_s
        num_periods = int(np.ceil(np.abs(velocity) / step).max(initial=0.0)) + 1
        after = np.arange(num_periods)[:, None] * step
        velocities = np.sign(velocity) * np.maximum(np.abs(velocity) - after, 0.0)
        return np.asarray(self.value + np.cumsum(velocities, axis=0) * self.period_s)

    def _feasible(self, wanted: Vector, step: Vector) -> Vector:
        lowest = -braking_rate(self.value - self.low, self.acceleration, self.period_s)
        highest = braking_rate(self.high - self.value, self.acceleration, self.period_s)
        wanted = np.clip(wanted, lowest, highest)
        return np.asarray(np.clip(wanted, self.velocity - step, self.velocity + step))
