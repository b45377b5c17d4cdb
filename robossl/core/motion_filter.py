"""Keeps values inside bounds on them and on their first and second difference, exactly and in discrete time.

The values are what is commanded and the differences are taken between commands one period apart: positions with bounds
on velocity and acceleration for an arm, velocities with bounds on acceleration and jerk for a base. Clamping the value
after limiting its rate breaks the second bound, and the braking distance of continuous time is too short by up to one
period; so the rate is bounded by what can still be braked in whole periods before the value's bound.

Written against the Python array API, `xp`: elementwise, for D values or for those of N worlds. It stands here once,
since a policy must be led in training as the guard leads it on the robot.
"""

from dataclasses import dataclass
from typing import Any

from robossl.core.protocols import Array

_ROUNDING = 1e-9
"""A rate this much above one period's braking still counts as one period's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionBounds:
    """What D values are kept in, float64.

    Attributes:
        low, high: [D] of the values.
        rate: [D] greatest change per second, either way.
        acceleration: [D] greatest change of the rate per second, either way.
        period_s: between two commands.
    """

    low: Array
    high: Array
    rate: Array
    acceleration: Array
    period_s: float

    @property
    def step(self) -> Array:
        """Returns the greatest change [D] of the rate from one period to the next."""
        return self.acceleration * self.period_s


def braking_rate(xp: Any, room: Array, acceleration: Array, period_s: float) -> Array:
    """Returns the greatest rate from which braking stops within `room`, this period's motion included.

    Braking from rate v moves v*dt + (v - a*dt)*dt + ..., with n periods after this one (n + 1)*(v*dt - n*a*dt^2/2).
    """
    room = xp.clip(room, 0.0, None)
    step = acceleration * period_s
    periods = xp.ceil((xp.sqrt(1.0 + 8.0 * room / (step * period_s)) - 3.0) / 2.0)
    periods = xp.clip(periods, 0.0, None)
    return room / (period_s * (periods + 1.0)) + step * periods / 2.0


def rate_towards(
    xp: Any, target: Array, value: Array, rate: Array, bounds: MotionBounds, *, scale: float | Array = 1.0
) -> Array:
    """Returns the next period's rate that goes towards `target` and can stop there.

    Args:
        xp: namespace of the arrays.
        target: [D] or [N, D], finite; beyond a bound, the bound is meant.
        value: the last command, alike.
        rate: its rate, alike.
        bounds: what it is kept in.
        scale: share of the rate that may be used.
    """
    way = xp.clip(target, bounds.low, bounds.high) - value
    greatest = braking_rate(xp, xp.abs(way), bounds.acceleration, bounds.period_s)
    towards = xp.minimum(greatest, bounds.rate * scale)  # none where there is no way; a `sign` in torch waits for a GPU
    return feasible(xp, xp.where(way < 0, -towards, towards), value, rate, bounds)


def feasible(xp: Any, wanted: Array, value: Array, rate: Array, bounds: MotionBounds) -> Array:
    """Returns the next period's rate that is nearest to `wanted`."""
    lowest, highest = _bearable(xp, value, bounds)
    return xp.clip(xp.clip(wanted, lowest, highest), rate - bounds.step, rate + bounds.step)


def braking(xp: Any, rate: Array, bounds: MotionBounds) -> Array:
    """Returns the next period's rate that stops soonest."""
    slower = rate - xp.sign(rate) * bounds.step
    return xp.where(xp.abs(rate) <= bounds.step * (1 + _ROUNDING), xp.zeros_like(rate), slower)


def moved(xp: Any, value: Array, rate: Array, bounds: MotionBounds) -> Array:
    """Returns the value after a period at a rate that one of the functions above gave."""
    # The bound is met up to rounding; the clip takes the last bit away and nothing else.
    return xp.clip(value + rate * bounds.period_s, bounds.low, bounds.high)


def admissible(xp: Any, value: Array, rate: Array, bounds: MotionBounds) -> tuple[Array, Array]:
    """Returns the nearest value and rate that braking keeps inside the bounds."""
    value = xp.clip(value, bounds.low, bounds.high)
    lowest, highest = _bearable(xp, value, bounds)
    return value, xp.clip(xp.clip(rate, -bounds.rate, bounds.rate), lowest, highest)


def _bearable(xp: Any, value: Array, bounds: MotionBounds) -> tuple[Array, Array]:
    """Returns the least and the greatest rate from which braking ends inside the bounds."""
    lowest = -braking_rate(xp, value - bounds.low, bounds.acceleration, bounds.period_s)
    highest = braking_rate(xp, bounds.high - value, bounds.acceleration, bounds.period_s)
    return lowest, highest
