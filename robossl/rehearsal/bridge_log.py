"""A recording as arrays over time: what the robot was told, what it did, how long it took, and what stopped it."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.limits import ArmLimits, BaseLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.readings import read_message
from robossl.deploy.recording import Recording
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import MESSAGE_TYPES, CameraTopic, InputTopic
from robossl.deploy.trips import RefusedMessageError

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One joint's position, or one speed of a base, and its limits.

    Attributes:
        measured: name of its measured value.
        low, high: of the command.
        rate, change: greatest first and second derivative of the command.
        derivatives: their names with units: velocity and acceleration of a joint, acceleration and jerk of a base.
    """

    name: str
    unit: str
    measured: str
    low: float
    high: float
    rate: float
    change: float
    derivatives: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTrip:
    """One trip, with the last picture of every camera before it {sensor: [H, W, C]}."""

    t_s: float
    text: str
    pictures: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLog:
    """One run; t_s counts from its first period.

    Attributes:
        t_s: [P] of the periods.
        states: [P] by name.
        sent, wanted: [P, D] what the guard let through, and what the policy wanted; NaN where nothing.
        measured: {name: ([M] times, [M] values)} of the robot's own motion.
        took_s: {leg: [P] seconds}; NaN in periods without a command, and for a leg that was not gone.
        mode: what became of commands.
    """

    name: str
    profile: str
    mode: str
    speed: float
    period_s: float
    axes: tuple[Axis, ...]
    t_s: Vector
    states: tuple[str, ...]
    sent: Vector
    wanted: Vector
    measured: dict[str, tuple[Vector, Vector]]
    took_s: dict[str, Vector]
    trips: tuple[LoggedTrip, ...]

    def rates(self) -> tuple[Vector, Vector]:
        """Returns first and second derivative [P, D] of what was sent, from one period to the next; NaN at gaps."""
        gap = np.full((1, len(self.axes)), np.nan)
        rate = np.concatenate([gap, np.diff(self.sent, axis=0) / self.period_s])
        return rate, np.concatenate([gap, np.diff(rate, axis=0) / self.period_s])

    def shares(self) -> Vector:
        """Returns the share [P, D] that what was sent had of its rate's limit; 0 at gaps.

        Also 0 after a trip: a base is then told zero at once.
        """
        share: Vector = np.abs(np.nan_to_num(self.rates()[0])) / np.array([axis.rate for axis in self.axes])
        share[np.array([state == "fault" for state in self.states], bool)] = 0.0
        return share


def read_log(recording: Recording, profile: RobotProfile, *, period_s: float) -> BridgeLog:
    """Reads a recording that was made with this profile."""
    periods = list(recording.periods())
    begun_ns = periods[0]["t_ns"] if periods else 0
    axes = _axes(profile)
    trips, measured = _heard(recording, profile, periods, begun_ns)
    legs = dict.fromkeys(leg for period in periods for leg in period.get("took_s", {}))
    return BridgeLog(
        name=recording.bag.name,
        profile=profile.name,
        mode=recording.mode.value,
        speed=recording.session["speed"],
        period_s=period_s,
        axes=axes,
        t_s=np.array([(period["t_ns"] - begun_ns) / 1e9 for period in periods]),
        states=tuple(period["decision"]["state"] for period in periods),
        sent=_rows(periods, "command", len(axes)),
        wanted=_rows(periods, "wanted", len(axes)),
        measured=measured,
        took_s={leg: np.array([_seconds(period, leg) for period in periods]) for leg in legs},
        trips=trips,
    )


def _seconds(period: dict[str, Any], leg: str) -> float:
    commanded = period["decision"]["command"] is not None
    return float(period["took_s"].get(leg, np.nan)) if commanded and "took_s" in period else np.nan


def _axes(profile: RobotProfile) -> tuple[Axis, ...]:
    limits = profile.limits
    if isinstance(limits, ArmLimits):
        return tuple(
            Axis(
                name=joint.name,
                unit="rad",
                measured=f"position:{joint.model}",
                low=joint.min_rad,
                high=joint.max_rad,
                rate=joint.velocity_rad_s,
                change=joint.acceleration_rad_s2,
                derivatives=("velocity [rad/s]", "acceleration [rad/s2]"),
            )
            for joint in limits.joints
        )
    parts = (("speed", "m/s", "forward_m_s", limits.linear), ("turn", "rad/s", "yaw_rate_rad_s", limits.angular))
    return tuple(
        Axis(
            name=name,
            unit=unit,
            measured=measured,
            low=-axis.backward,
            high=axis.forward,
            rate=axis.acceleration,
            change=axis.jerk,
            derivatives=(f"acceleration [{unit}2]", f"jerk [{unit}3]"),
        )
        for name, unit, measured, axis in parts
    )


def _heard(
    recording: Recording, profile: RobotProfile, periods: list[dict[str, Any]], begun_ns: int
) -> tuple[tuple[LoggedTrip, ...], dict[str, tuple[Vector, Vector]]]:
    """Goes through the messages once: keeps the robot's own motion, and each camera's last picture before a trip."""
    types, sources = RosTypes(profile.ros.distro), {source.topic: source for source in profile.inputs}
    own = "odometry" if isinstance(profile.limits, BaseLimits) else "joints"
    stops = [(period["t_ns"], period["decision"]["trips"]) for period in periods if period["decision"]["trips"]]
    found: list[LoggedTrip] = []
    motion: dict[str, list[tuple[float, float]]] = defaultdict(list)
    newest: dict[str, tuple[CameraTopic, bytes]] = {}
    for topic, t_ns, data in [*recording.messages(), ("", np.inf, b"")]:
        while stops and stops[0][0] < t_ns:
            stop_ns, told = stops.pop(0)
            pictures = {source.sensor: _picture(types, source, last, profile) for source, last in newest.values()}
            shown = {sensor: picture for sensor, picture in pictures.items() if picture is not None}
            found += [LoggedTrip(t_s=(stop_ns - begun_ns) / 1e9, text=_text(trip), pictures=shown) for trip in told]
        source = sources.get(topic)
        if isinstance(source, CameraTopic):
            newest[topic] = (source, data)
        elif source is not None and source.kind == own and getattr(source, "body", None) is None:
            for name, value in _values(types, source, data, profile).items():
                motion[name].append(((t_ns - begun_ns) / 1e9, value))
    return tuple(found), {name: (np.array(rows)[:, 0], np.array(rows)[:, 1]) for name, rows in motion.items()}


def _values(types: RosTypes, source: InputTopic, data: bytes, profile: RobotProfile) -> dict[str, float]:
    try:
        return dict(read_message(types.from_bytes(data, MESSAGE_TYPES[source.kind]), source, profile.limits).values)
    except RefusedMessageError:
        return {}


def _picture(types: RosTypes, source: CameraTopic, data: bytes, profile: RobotProfile) -> NDArray[Any] | None:
    try:
        return read_message(types.from_bytes(data, MESSAGE_TYPES[source.kind]), source, profile.limits).picture
    except RefusedMessageError:
        return None


def _text(trip: dict[str, Any]) -> str:
    value = "" if trip["value"] is None else f" {float(trip['value']):.4g}"
    limit = "" if trip["limit"] is None else f" (limit {float(trip['limit']):.4g})"
    return f"{trip['trip']}: {trip['what']}{value}{limit}"


def _rows(periods: list[dict[str, Any]], key: str, width: int) -> Vector:
    """Returns one column of decisions [P, D]."""
    rows = [period["decision"][key] or [np.nan] * width for period in periods]
    return np.array(rows, np.float64).reshape(len(periods), width)
