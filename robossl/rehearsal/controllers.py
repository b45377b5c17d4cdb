"""The robot's own controllers: from command messages to its motors, and what it does when none come."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import TrajectoryOutput, TwistOutput

Vector = NDArray[np.float64]
FORWARD, STEERING = "forward", "steering"
"""Velocity actuators that a model of a base has: m/s and rad/s."""


class RejectedCommandError(ValueError):
    """Reports a command that the robot does not take."""


class Controller(Protocol):
    """Drives some actuators of a model."""

    def begin(self, ctrl: Vector) -> None:
        """Forgets all commands; `ctrl` [num_actuators] is what an episode starts with."""

    def receive(self, message: Any, t_s: float) -> None:
        """Takes a command.

        Raises:
            RejectedCommandError: if it makes no sense; the last one then goes on.
        """

    def ctrl(self, t_s: float) -> Vector:
        """Returns what the actuators [num_actuators] are to do now."""


def make_controller(profile: RobotProfile, model: Any, *, twist_timeout_s: float) -> Controller:
    """Chooses the controller that takes the profile's commands.

    Raises:
        UserError: if the model is of another robot.
    """
    if isinstance(profile.output, TwistOutput):
        return TwistController(profile, model, timeout_s=twist_timeout_s)
    assert isinstance(profile.limits, ArmLimits)
    actuators = _servos(profile.name, model, profile.limits)
    if isinstance(profile.output, TrajectoryOutput):
        return TrajectoryController([joint.name for joint in profile.limits.joints], actuators)
    return PositionController(actuators)


class TrajectoryController:
    """A JointTrajectoryController: goes through a trajectory's points in straight lines, then holds the last.

    As ros2_control's, it begins each trajectory where the last one had led, drops what is empty, and wants all joints.
    Velocities in points are not looked at.
    """

    def __init__(self, names: list[str], actuators: list[int]) -> None:
        self._names, self._actuators = names, actuators
        self._times_s, self._points = np.zeros(1), np.zeros((1, len(names)))
        self._base = np.zeros(0)

    def begin(self, ctrl: Vector) -> None:
        """See `Controller.begin`."""
        self._base = ctrl.copy()
        self._times_s, self._points = np.zeros(1), ctrl[self._actuators][None]

    def receive(self, message: Any, t_s: float) -> None:
        """See `Controller.receive`."""
        names = list(message.joint_names)
        if sorted(names) != sorted(self._names):
            raise RejectedCommandError(f"a trajectory of the joints {names}")
        if not message.points:
            raise RejectedCommandError("a trajectory without points")
        order = [names.index(name) for name in self._names]
        points = [np.asarray(point.positions, np.float64) for point in message.points]
        if any(len(point) != len(names) or not np.isfinite(point).all() for point in points):
            raise RejectedCommandError("a point without a number for every joint")
        start = [point.time_from_start for point in message.points]
        times_s = t_s + np.array([moment.sec + moment.nanosec * 1e-9 for moment in start])
        if not (np.diff(times_s) > 0).all() or times_s[0] < t_s:
            raise RejectedCommandError("points whose times do not ascend")
        now = self._desired(t_s)
        self._times_s = np.concatenate([[t_s], times_s])
        self._points = np.stack([now, *(point[order] for point in points)])

    def ctrl(self, t_s: float) -> Vector:
        """See `Controller.ctrl`."""
        ctrl = self._base.copy()
        ctrl[self._actuators] = self._desired(t_s)
        return ctrl

    def _desired(self, t_s: float) -> Vector:
        later = int(np.searchsorted(self._times_s, t_s, side="right"))
        if later == len(self._times_s):
            return np.array(self._points[-1])
        if later == 0:
            return np.array(self._points[0])
        before_s, after_s = self._times_s[later - 1], self._times_s[later]
        share = (t_s - before_s) / (after_s - before_s)
        return np.asarray((1 - share) * self._points[later - 1] + share * self._points[later])


class PositionController:
    """Forwards joint positions at once, and keeps the last ones."""

    def __init__(self, actuators: list[int]) -> None:
        self._actuators = actuators
        self._ctrl = np.zeros(0)

    def begin(self, ctrl: Vector) -> None:
        """See `Controller.begin`."""
        self._ctrl = ctrl.copy()

    def receive(self, message: Any, t_s: float) -> None:
        """See `Controller.receive`."""
        positions = np.asarray(message.data, np.float64)
        if positions.shape != (len(self._actuators),) or not np.isfinite(positions).all():
            raise RejectedCommandError(f"{positions.size} positions for {len(self._actuators)} joints")
        self._ctrl[self._actuators] = positions

    def ctrl(self, t_s: float) -> Vector:
        """See `Controller.ctrl`."""
        return self._ctrl.copy()


class TwistController:
    """A diff_drive controller: forward speed and yaw rate, zero when commands have been missing for a time."""

    def __init__(self, profile: RobotProfile, model: Any, *, timeout_s: float) -> None:
        known = [model.actuator(i).name for i in range(model.nu)]
        if FORWARD not in known or STEERING not in known:
            raise UserError(
                f"profile {profile.name} is of a base; the model has the actuators {', '.join(known)}, not"
                f" {FORWARD!r} and {STEERING!r}: it is another robot"
            )
        assert isinstance(profile.output, TwistOutput)
        self._stamped, self._timeout_s = profile.output.stamped, timeout_s
        self._actuators = [known.index(FORWARD), known.index(STEERING)]
        self._twist, self._heard_s = np.zeros(2), -np.inf
        self._size = len(known)

    def begin(self, ctrl: Vector) -> None:
        """See `Controller.begin`."""
        self._twist = np.zeros(2)

    def receive(self, message: Any, t_s: float) -> None:
        """See `Controller.receive`."""
        twist = message.twist if self._stamped else message
        asked = np.array([twist.linear.x, twist.angular.z], np.float64)
        if not np.isfinite(asked).all():
            raise RejectedCommandError("a speed that is no number")
        self._twist, self._heard_s = asked, t_s

    def ctrl(self, t_s: float) -> Vector:
        """See `Controller.ctrl`."""
        ctrl = np.zeros(self._size)
        if t_s - self._heard_s <= self._timeout_s:
            ctrl[self._actuators] = self._twist
        return ctrl


def _servos(profile: str, model: Any, limits: ArmLimits) -> list[int]:
    """Returns the actuators of an arm's joints, in the profile's order."""
    joints = [model.joint(i).name for i in range(model.njnt)]
    driven = {
        model.joint(int(model.actuator_trnid[i, 0])).name: i for i in range(model.nu) if model.actuator_trntype[i] == 0
    }
    absent = next((joint.model for joint in limits.joints if joint.model not in driven), None)
    if absent is not None:
        raise UserError(
            f"profile {profile}: the model drives no joint {absent!r}; it has {', '.join(joints)}: it is another robot"
        )
    return [driven[joint.model] for joint in limits.joints]
