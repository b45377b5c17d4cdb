"""Velocities of a base inside speed, acceleration and jerk limits, and slow enough for what is in its way."""

from collections.abc import Iterator

import numpy as np

from robossl.deploy.clearance import HEADING_STEP_RAD, HEADINGS_RAD, STRAIGHT
from robossl.deploy.limits import BaseLimits, ObstacleLimit
from robossl.deploy.motion import Fault, Measured, Vector
from robossl.deploy.motion_filter import MotionFilter
from robossl.deploy.trips import Trip

AXES = ("linear", "angular")
STANDSTILL = (0.02, 0.05)
"""Forward speed (m/s) and yaw rate (rad/s) above which a base moves. Ours: above a standing base's odometry noise."""


class BaseMotion:
    """See `Motion`; commands are forward speed in m/s and yaw rate in rad/s, and a stop is zero at once.

    Speed, acceleration and jerk are to this filter what position, velocity and acceleration are to an arm's.
    """

    def __init__(self, limits: BaseLimits, *, period_s: float) -> None:
        axes = (limits.linear, limits.angular)
        self._filter = MotionFilter(
            low=-np.array([axis.backward for axis in axes], np.float64),
            high=np.array([axis.forward for axis in axes], np.float64),
            rate=np.array([axis.acceleration for axis in axes], np.float64),
            acceleration=np.array([axis.jerk for axis in axes], np.float64),
            period_s=period_s,
        )
        self._measured = np.array([axis.measured for axis in axes], np.float64)
        self._tracking = np.array([axis.tracking for axis in axes], np.float64)
        self._tracking_s, self._astray_s = limits.tracking_s, np.zeros(2)
        self._obstacle = limits.obstacle if isinstance(limits.obstacle, ObstacleLimit) else None
        self._filter.start(np.zeros(2))

    def start(self, measured: Measured) -> None:
        """See `Motion.start`."""
        self._filter.place(measured.velocity, np.zeros(2))
        self._astray_s = np.zeros(2)

    def moving(self, measured: Measured) -> Iterator[Fault]:
        """See `Motion.moving`."""
        for name, speed, limit in zip(AXES, np.abs(measured.velocity).tolist(), STANDSTILL, strict=True):
            if speed > limit:
                yield Fault(trip=Trip.MEASURED_SPEED, what=f"{name} is moving", value=speed, limit=limit)

    def follow(self, measured: Measured) -> None:
        """See `Motion.follow`."""
        self._filter.place(measured.velocity, np.zeros(2))

    def towards(self, wanted: Vector, measured: Measured, *, scale: float) -> Vector:
        """See `Motion.towards`."""
        target = np.clip(wanted, self._filter.bounds.low * scale, self._filter.bounds.high * scale)
        if self._obstacle is not None:
            ahead, behind = (self._safe_speed(way, self._obstacle) for way in self._free_ways(target, measured))
            target[0] = np.clip(target[0], -behind, ahead)
        return self._filter.move(self._filter.step_velocity(target))

    def stop(self) -> Vector:
        """See `Motion.stop`."""
        self._filter.start(np.zeros(2))
        return np.zeros(2)

    @property
    def at_rest(self) -> bool:
        """See `Motion.at_rest`."""
        return not self._filter.value.any()

    def faults(self, measured: Measured) -> Iterator[Fault]:
        """See `Motion.faults`."""
        away = np.abs(measured.velocity - self._filter.value)
        self._astray_s = np.where(away > self._tracking, self._astray_s + self._filter.bounds.period_s, 0.0)
        for i, name in enumerate(AXES):
            speed = float(abs(measured.velocity[i]))
            if speed > self._measured[i]:
                yield Fault(trip=Trip.MEASURED_SPEED, what=name, value=speed, limit=float(self._measured[i]))
            if self._astray_s[i] > self._tracking_s:
                limit = float(self._tracking[i])
                yield Fault(trip=Trip.TRACKING_ERROR, what=name, value=float(away[i]), limit=limit)
        if self._obstacle is not None:
            yield from self._obstacle_faults(measured, self._obstacle)

    def _obstacle_faults(self, measured: Measured, obstacle: ObstacleLimit) -> Iterator[Fault]:
        """Yields what the base could touch: it was slowed down in time, unless something has suddenly come near."""
        if measured.clearance_m is None:
            yield Fault(trip=Trip.OBSTACLE, what="no range was measured")
            return
        told, seen = float(self._filter.value[0]), float(measured.velocity[0])
        ways = ("ahead", "behind"), measured.clearance_m[:, STRAIGHT].tolist(), (max(told, seen), max(-told, -seen))
        for name, clearance, speed in zip(*ways, strict=True):
            needed = speed * self._delay_s(obstacle) + speed**2 / (2.0 * float(self._filter.bounds.rate[0]))
            if speed > STANDSTILL[0] and needed > clearance:
                yield Fault(trip=Trip.OBSTACLE, what=name, value=clearance, limit=needed)

    def _free_ways(self, target: Vector, measured: Measured) -> Vector:
        """Returns the free way [2] ahead and behind, at all headings passed until the next command grips.

        What a base turns towards comes into its way from the side, and suddenly.
        """
        if self._obstacle is None or measured.clearance_m is None:
            return np.zeros(2)
        period_s, turn = self._filter.bounds.period_s, self._filter.value[1]
        next_turn = turn + self._filter.step_velocity(target)[1] * period_s
        turned_rad = np.array([0.0, turn, next_turn]) * (self._obstacle.latency_s + period_s)
        first, last = np.searchsorted(HEADINGS_RAD + HEADING_STEP_RAD / 2, [turned_rad.min(), turned_rad.max()])
        return np.asarray(measured.clearance_m[:, first : last + 1].min(axis=1))

    def _safe_speed(self, clearance_m: float, obstacle: ObstacleLimit) -> float:
        """Returns the greatest speed from which the base comes to stand at `stop_m` from the obstacle.

        Solves v * delay + v^2 / (2 a) = room for v, with two periods of delay more than a stop that begins now.
        """
        acceleration = float(self._filter.bounds.rate[0])
        lost = acceleration * (self._delay_s(obstacle) + 2.0 * self._filter.bounds.period_s)
        room = max(clearance_m - obstacle.stop_m, 0.0)
        return float(np.sqrt(lost * lost + 2.0 * acceleration * room) - lost)

    def _delay_s(self, obstacle: ObstacleLimit) -> float:
        """Returns the time from a measurement to full braking.

        While braking builds up, the base may first still be speeding up: twice the time from full to none.
        """
        return obstacle.latency_s + 2.0 * float(self._filter.bounds.rate[0] / self._filter.bounds.acceleration[0])
