"""What one message says: named numbers in SI units, or a picture. Everything hostile ends here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.beams import beam_values
from robossl.deploy.clearance import Ways, depth_clearance, scan_clearance
from robossl.deploy.limits import ArmLimits, ObstacleLimit, RobotLimits
from robossl.deploy.pictures import decode_picture
from robossl.deploy.topics import (
    CameraTopic,
    InputTopic,
    JointsInput,
    OdometryInput,
    ScanInput,
    StopInput,
    ValuesInput,
)
from robossl.deploy.trips import RefusedMessageError, Trip

GREATEST = 1e30
"""A larger number is no measurement; the policy takes single precision."""
MAX_NAMES = 1024
"""Joints in one message: more is nonsense, and not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One message's content.

    Attributes:
        stamp_ns: of its header, on the robot's clock; None where it has none.
        values: named numbers; a joint's are `position:<model joint>` and `velocity:<model joint>`.
        picture: [H, W, C] as the camera gave it.
        ways: free ways of a base, see `clearance.Ways`; None where the guard does not look at the input for them.
        trace: what two readings of a sensor that works cannot share to the last bit; None where they may.
    """

    stamp_ns: int | None
    values: Mapping[str, float]
    picture: NDArray[Any] | None = None
    ways: Ways | None = None
    trace: NDArray[Any] | None = None


MAX_RAYS = 100_000
"""Of one scan, likewise."""
STOP_PRESSED = "stop_pressed"
_MOVING = 1e-3
"""In m/s or rad/s: what says that it is faster cannot have the same pose twice."""


def read_message(message: Any, source: InputTopic, limits: RobotLimits) -> Reading:
    """Reads a message of the type that belongs to its source.

    Raises:
        RefusedMessageError: if it cannot be used.
    """
    reading = _read(message, source, limits)
    wrong = next((name for name, value in reading.values.items() if not abs(value) <= GREATEST), None)
    if wrong is not None:
        raise RefusedMessageError(Trip.NON_FINITE_INPUT, wrong)
    return reading


def _read(message: Any, source: InputTopic, limits: RobotLimits) -> Reading:
    if isinstance(source, StopInput):
        return Reading(stamp_ns=None, values={STOP_PRESSED: float(bool(message.data))})
    if isinstance(source, ValuesInput):
        return Reading(stamp_ns=None, values=_named(message, source))
    seconds, nanoseconds = int(message.header.stamp.sec), int(message.header.stamp.nanosec)
    stamp_ns = seconds * 1_000_000_000 + nanoseconds or None  # zero: the driver does not stamp
    if isinstance(source, CameraTopic):
        return _picture(message, source, limits, stamp_ns)
    if isinstance(source, ScanInput):
        return _scan(message, source, limits, stamp_ns)
    values = (
        _joints(message, limits)
        if isinstance(source, JointsInput)
        else _odometry(message, source)
        if isinstance(source, OdometryInput)
        else _pose(message.pose, source.body)
    )
    return Reading(stamp_ns=stamp_ns, values=values, trace=_trace(message, source))


def _trace(message: Any, source: InputTopic) -> NDArray[Any] | None:
    """Returns the pose of something that says that it moves."""
    if isinstance(source, OdometryInput):
        pose, twist = message.pose.pose, message.twist.twist
        moves = max(abs(getattr(part, axis)) for part in (twist.linear, twist.angular) for axis in "xyz") > _MOVING
        parts = (pose.position, "xyz"), (pose.orientation, "xyzw")
        return np.array([getattr(part, axis) for part, axes in parts for axis in axes]) if moves else None
    return None


def _picture(message: Any, source: CameraTopic, limits: RobotLimits, stamp_ns: int | None) -> Reading:
    picture, view, obstacle = (
        decode_picture(message, source.encoding),
        source.obstacles,
        getattr(limits, "obstacle", None),
    )
    ways = depth_clearance(picture, view, obstacle) if view and isinstance(obstacle, ObstacleLimit) else None
    return Reading(stamp_ns=stamp_ns, values={}, picture=picture, ways=ways, trace=picture)


def _joints(message: Any, limits: RobotLimits) -> dict[str, float]:
    """Finds the profile's joints by name, wherever they stand."""
    assert isinstance(limits, ArmLimits)
    names = list(message.name[: MAX_NAMES + 1])
    if len(names) > MAX_NAMES or len(set(names)) != len(names):
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"{len(names)} joints, of which {len(set(names))} differ")
    position, velocity = (np.asarray(part, np.float64) for part in (message.position, message.velocity))
    index, values = {name: i for i, name in enumerate(names)}, {}
    for joint in limits.joints:
        i = index.get(joint.name)
        if i is None:
            raise RefusedMessageError(Trip.MISSING_JOINT, joint.name)
        if i >= len(position) or i >= len(velocity):
            raise RefusedMessageError(Trip.MISSING_JOINT, f"{joint.name} has no position or no velocity")
        values[f"position:{joint.model}"] = float(position[i])
        values[f"velocity:{joint.model}"] = float(velocity[i])
    return values


def _odometry(message: Any, source: OdometryInput) -> dict[str, float]:
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    if source.body is None:
        speed = float(np.hypot(linear.x, linear.y))
        own = {"forward_m_s": float(linear.x), "speed_m_s": speed, "yaw_rate_rad_s": float(angular.z)}
        return own | _pose(message.pose.pose, "base")
    velocity_w = _rotation(message.pose.pose.orientation) @ [linear.x, linear.y, linear.z]
    moving = {f"{source.body}_v{axis}_w_m_s": float(v) for axis, v in zip("xyz", velocity_w, strict=True)}
    return moving | _pose(message.pose.pose, source.body)


def _pose(pose: Any, body: str) -> dict[str, float]:
    rotation, position = _rotation(pose.orientation), pose.position
    values = {f"{body}_{axis}_w_m": float(getattr(position, axis)) for axis in "xyz"}
    return values | {f"{body}_sin_yaw": float(rotation[1, 0]), f"{body}_cos_yaw": float(rotation[0, 0])}


def _rotation(quaternion: Any) -> NDArray[np.float64]:
    """Returns the rotation matrix of a ROS quaternion (x, y, z, w), which must be of unit length."""
    x, y, z, w = (float(getattr(quaternion, name)) for name in "xyzw")
    length = np.sqrt(x * x + y * y + z * z + w * w)
    if not abs(length - 1.0) < 1e-3:
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"a quaternion of length {length:.4g}")
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _named(message: Any, source: ValuesInput) -> dict[str, float]:
    data = np.asarray(message.data, np.float64)
    if data.shape != (len(source.names),):
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"{data.size} numbers instead of {len(source.names)}")
    return dict(zip(source.names, data.tolist(), strict=True))


def _scan(message: Any, source: ScanInput, limits: RobotLimits, stamp_ns: int | None) -> Reading:
    if not 0 < len(message.ranges) <= MAX_RAYS:
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"a scan of {len(message.ranges)} rays")
    obstacle = getattr(limits, "obstacle", None)
    ranges = np.asarray(message.ranges)
    return Reading(
        stamp_ns=stamp_ns,
        values=beam_values(message, source.beams) if source.beams else {},
        ways=scan_clearance(message, source, obstacle) if isinstance(obstacle, ObstacleLimit) else None,
        trace=ranges if np.isfinite(ranges).sum() >= source.min_rays else None,  # with next to no echoes it may stay
    )
