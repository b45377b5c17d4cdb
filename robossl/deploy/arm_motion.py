"""Joint positions of an arm inside position, velocity, acceleration, workspace and deviation limits.

A command is taken only if from it the arm can still stop inside every limit: the whole braking path is looked at.
Otherwise a slower one is tried, and then the arm brakes, which by the same argument one period earlier is inside every
limit.
"""

from collections.abc import Iterator

import numpy as np

from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits
from robossl.deploy.motion import Fault, Measured, Vector
from robossl.deploy.motion_filter import MotionFilter
from robossl.deploy.trips import Trip

STANDSTILL_RAD_S = 0.05
"""A joint that is measured faster than this moves. Ours: several times the noise of a standing arm's velocities."""

_CREEPING = (1.0, 0.5, 0.25, 0.125)
"""Shares of the slow straight line's speed that are tried. Ours: the tool's way bends off with the square of it."""


class ArmMotion:
    """See `Motion`; a stop brakes every joint at its acceleration limit."""

    def __init__(self, limits: ArmLimits, *, period_s: float) -> None:
        self.names = tuple(joint.name for joint in limits.joints)
        self._filter = MotionFilter(
            low=self._limit(limits, "min_rad"),
            high=self._limit(limits, "max_rad"),
            rate=self._limit(limits, "velocity_rad_s"),
            acceleration=self._limit(limits, "acceleration_rad_s2"),
            period_s=period_s,
        )
        self._measured_speed = self._limit(limits, "measured_velocity_rad_s")
        self._deviation = self._limit(limits, "deviation_rad")
        self._tracking = self._limit(limits, "tracking_rad")
        self._kinematics = ToolKinematics(limits.tool) if limits.tool else None
        self._box_w_m = np.array([limits.tool.box_min_w_m, limits.tool.box_max_w_m]) if limits.tool else None

    def start(self, measured: Measured) -> None:
        """See `Motion.start`."""
        self._filter.start(measured.position)  # refuses a position outside its limits
        self._filter.place(measured.position, measured.velocity)
        braking = self._filter.stopping_path(self._filter.velocity)
        if not self._inside_box(np.vstack([measured.position, braking])):
            raise ValueError("the tool is outside its box")

    def moving(self, measured: Measured) -> Iterator[Fault]:
        """See `Motion.moving`."""
        for name, speed in zip(self.names, np.abs(measured.velocity).tolist(), strict=True):
            if speed > STANDSTILL_RAD_S:
                yield Fault(trip=Trip.MEASURED_SPEED, what=f"{name} is moving", value=speed, limit=STANDSTILL_RAD_S)

    def follow(self, measured: Measured) -> None:
        """See `Motion.follow`."""
        self._filter.place(measured.position, measured.velocity)

    def towards(self, wanted: Vector, measured: Measured, *, scale: float) -> Vector:
        """See `Motion.towards`."""
        velocity = self._filter.step_velocity(wanted, scale=scale)
        if not self._may_go(velocity, measured):
            velocity = self._detour(wanted, measured, scale)
        return self._filter.move(velocity)

    def stop(self) -> Vector:
        """See `Motion.stop`."""
        return self._filter.move(self._filter.braking_velocity())

    @property
    def at_rest(self) -> bool:
        """See `Motion.at_rest`."""
        return not self._filter.velocity.any()

    def faults(self, measured: Measured) -> Iterator[Fault]:
        """See `Motion.faults`."""
        low, high = self._filter.bounds.low - self._tracking, self._filter.bounds.high + self._tracking
        error = np.abs(measured.position - self._filter.value)
        for i, name in enumerate(self.names):
            position, speed = float(measured.position[i]), float(abs(measured.velocity[i]))
            if not low[i] <= position <= high[i]:
                limit = float(np.clip(position, low[i], high[i]))
                yield Fault(trip=Trip.MEASURED_POSITION, what=name, value=position, limit=limit)
            if speed > self._measured_speed[i]:
                yield Fault(trip=Trip.MEASURED_SPEED, what=name, value=speed, limit=float(self._measured_speed[i]))
            if error[i] > self._tracking[i]:
                yield Fault(trip=Trip.TRACKING_ERROR, what=name, value=float(error[i]), limit=float(self._tracking[i]))

    def _detour(self, wanted: Vector, measured: Measured, scale: float) -> Vector:
        """Returns the velocity of a slow straight line where the fast way leaves the limits; else that of braking.

        Joints at full acceleration do not arrive together, and on its way the tool may leave its box between two
        points inside: without this, an arm near a face would stand there as long as the policy wants the same.
        """
        for share in _CREEPING:
            velocity = self._filter.creeping_velocity(wanted, scale=share * scale)
            if self._may_go(velocity, measured):
                return velocity
        return self._filter.braking_velocity()

    def _may_go(self, velocity: Vector, measured: Measured) -> bool:
        path = self._filter.stopping_path(velocity)
        before, after = (np.abs(value - measured.position) for value in (self._filter.value, path[-1]))
        led_away = (after > self._deviation) & (after > before)
        return not led_away.any() and self._inside_box(path)

    def _inside_box(self, joint_rad: Vector) -> bool:
        """Tells whether the tool is in its box at all joint positions [K, D]."""
        if self._kinematics is None or self._box_w_m is None:
            return True
        tool_w_m = self._kinematics.positions(joint_rad)
        return bool(((tool_w_m >= self._box_w_m[0]) & (tool_w_m <= self._box_w_m[1])).all())

    @staticmethod
    def _limit(limits: ArmLimits, name: str) -> Vector:
        return np.array([getattr(joint, name) for joint in limits.joints], np.float64)
