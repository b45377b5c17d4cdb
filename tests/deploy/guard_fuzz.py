"""Throws random, malformed, reordered, non-finite and hostile messages at a bridge, through the codec of a transport.

In calm stretches the robot stands, or follows what it is told, until it has been driven for a while. Then comes one of
the others: a storm, in which almost every message is hostile, a shower, silence, an input that is frozen, or something
wrong with the connection. After every trip the operator resets and arms again.
"""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from deploy_robots import (
    PERIOD_S,
    SAFETY,
    TYPES,
    VIEW,
    Scripted,
    arm_contract,
    arm_profile,
    base_contract,
    base_profile,
    depth_image,
    image,
    joint_state,
    odometry,
    scan,
)
from fuzz_codecs import CODECS, spoilt
from numpy.random import Generator
from numpy.typing import NDArray

from robossl.deploy.bridge import Bridge, Event, State, Tick
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits
from robossl.deploy.motion import Fault
from robossl.deploy.profile import RobotProfile
from robossl.deploy.session import deliver
from robossl.deploy.topics import MESSAGE_TYPES, CameraTopic
from robossl.deploy.transports import Topic
from robossl.deploy.trips import Trip

HOSTILE = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e6, -1e6, 0.0, -0.0)
_HOSTILE_SHARE = {"calm": 0.004, "storm": 0.9, "shower": 0.1}
"""How many of the tries at a hostile message are made: one in a period, in a storm 20 for each topic."""
_PERIODS = {
    "calm": (15, 100),
    "storm": (1, 14),
    "shower": (10, 60),
    "silence": (8, 20),
    "frost": (8, 20),
    "connection": (1, 10),
}
_BAD = {"storm": 0.45, "shower": 0.2, "silence": 0.2, "frost": 0.08, "connection": 0.07}
"""What follows on a calm stretch, and how often."""
_CONNECTION = (Trip.SECOND_COMMANDER, Trip.LOST_PEER)
_MAX_IDENTICAL = 4
_LONGEST_WAIT = 500
"""Periods of calm within which a robot that stands must have been armed, whatever came before."""
_PATIENCE = 100
"""Periods of calm after which the operator resets a bridge that still waits."""
_CLOCK_NS = 1_000_000_000_000
"""The robot's clock, at the beginning."""


@dataclass(kw_only=True)
class Figures:
    """What was seen.

    Attributes:
        hostile: of the messages.
        met: of the hostile ones, those that came while the robot was driven.
        commands: that were checked.
        silences: stops that silence led to.
    """

    messages: int = 0
    hostile: int = 0
    met: int = 0
    commands: int = 0
    silences: int = 0
    seconds: float = 0.0
    trips: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Figures") -> "Figures":
        mine, others = self.as_json(), other.as_json()
        return Figures.from_json({key: mine[key] + others[key] for key in mine})

    def as_json(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Figures":
        return cls(**{**values, "trips": Counter(values["trips"])})

    def told(self) -> str:
        lines = [
            f"  {self.messages:,} messages, {self.hostile:,} of them hostile ({self.met:,} while the robot was driven);"
            f" {self.commands:,} commands, all inside their limits; {self.silences:,} stops by silence;"
            f" {self.seconds:.0f} s",
        ]
        return "\n".join([*lines, *(f"    {trip:<20} {count:,}" for trip, count in self.trips.most_common())])


class Fuzz:
    """One bridge under fire, through one codec."""

    def __init__(self, rng: Generator, codec: str, *, arm: bool) -> None:
        self.rng, self.arm, self.codec = rng, arm, CODECS[codec]
        self.seen = Figures()
        profile = _watchful(arm_profile() if arm else _seeing(base_profile()))
        contract = arm_contract() if arm else base_contract()
        self.policy = Scripted(contract, 0.0, 0.0)
        self.bridge = Bridge(self.policy, profile, speed=1.0, obeyed=True)
        self.sources = {source.topic: MESSAGE_TYPES[source.kind] for source in profile.inputs}
        self.tool = ToolKinematics(profile.limits.tool) if isinstance(profile.limits, ArmLimits) else None  # type: ignore[arg-type]
        self.silent_after_s = max(source.max_age_s or 0.0 for source in profile.inputs)
        self.weather, self.periods_left, self.calm_waits = "calm", 100, 0
        self.last_sent_s = dict.fromkeys(self.sources, 0.0)
        self.said: dict[str, Any] = {}
        self.frozen, self.num_same = "", 0
        self.fault = Fault(trip=_CONNECTION[0], what="")
        self.t_ns, self.clock_ns = 0, _CLOCK_NS
        self.command, self.velocity, self.running = np.zeros(2), np.zeros(2), False
        self.way, self.yaw = 0.0, 0.0
        self.goal, self.unrest = np.zeros(2), 3.0

    @property
    def t_s(self) -> float:
        return self.t_ns / 1e9

    def period(self) -> None:
        """Passes one control period: messages, what the policy says, a tick, and the check of what comes out."""
        late = self.rng.random() < 0.003
        self.t_ns += round(1e9 * PERIOD_S * (self.rng.uniform(1.0, 4.0) if late else 1.0))
        self._think()
        self._change_weather()
        for topic in self.sources:
            if topic != "/stop" and self.weather != "silence" and self.rng.random() > 0.01:
                self._say(topic)
        if "/stop" in self.sources and self.rng.random() < 0.1:
            self._send("/stop", TYPES.make("std_msgs/msg/Bool", data=False))
        for _ in range(len(self.sources) * 20 if self.weather == "storm" else 1):
            if self.rng.random() < _HOSTILE_SHARE.get(self.weather, 0.0):
                self._attack()
        was = self.bridge.state
        tick = self.bridge.tick(self.t_s, (self.fault,) if self.weather == "connection" else ())
        self._check_trips(was, tick)
        self._check(tick.command, tick.state)
        if (self.bridge.state is State.FAULT and tick.command is None) or self._looks_slow(tick):
            self.bridge.handle(Event.RESET)
        self.bridge.handle(Event.ARM)

    def _looks_slow(self, tick: Tick) -> bool:
        """Tells whether an operator would reset a waiting bridge: nothing but the age of inputs keeps it, for long."""
        is_age = all(reason.startswith(Trip.STALE_INPUT.value) for reason in tick.waiting_for)
        return is_age and self.calm_waits >= _PATIENCE and self.calm_waits % 10 == 0

    def _think(self) -> None:
        """Chooses what the policy says: it leads to limits, or trembles; seldom hostile numbers, or nothing in time."""
        if self.rng.random() < 0.03:
            self.goal, self.unrest = self.rng.normal(0.0, 2.0, 2), float(self.rng.choice([0.0, 0.5, 3.0]))
        lot, answer = self.rng.random(), self.rng.normal(self.goal, self.unrest)
        self.policy.answer = self._number(2) if lot < 0.02 else None if lot > 0.999 else answer

    def _change_weather(self) -> None:
        """After bad weather comes calm, until the robot is driven."""
        self.periods_left -= 1
        self.calm_waits = self.calm_waits + 1 if self.weather == "calm" and not self._drives else 0
        assert self.calm_waits < _LONGEST_WAIT, f"in {self.bridge.state}, though nothing is wrong any more"
        if self.periods_left > 0 or (self.weather == "calm" and not self._drives):
            return
        self.weather = str(self.rng.choice(list(_BAD), p=list(_BAD.values()))) if self.weather == "calm" else "calm"
        self.periods_left = int(self.rng.integers(*_PERIODS[self.weather]))
        self.frozen, self.num_same = "", 0
        if self.weather == "frost":
            self.frozen = "/camera/image_raw" if self.arm else str(self.rng.choice(["/odom", "/scan", "/depth"]))
        if self.weather == "connection":
            self.fault = Fault(trip=_CONNECTION[self.rng.integers(len(_CONNECTION))], what="/commands")

    @property
    def _drives(self) -> bool:
        return self.bridge.state is State.RUN

    def _check_trips(self, was: State, tick: Tick) -> None:
        """Checks that whatever stops the robot has a name, and that silence does, in time."""
        for record in tick.trips:
            assert isinstance(record.trip, Trip)
            assert record.what
            assert str(record).startswith(record.trip.value)
        self.seen.trips.update(record.trip.value for record in tick.trips)
        if was is State.RUN and tick.state is not State.RUN:
            assert tick.trips, f"{was} became {tick.state} without a trip"
        oldest_s = min(self.last_sent_s[topic] for topic in self.sources if topic != "/stop")
        if tick.state is State.RUN:
            assert self.t_s - oldest_s <= self.silent_after_s + 2 * PERIOD_S
            assert self.weather != "connection"
            assert self.num_same <= _MAX_IDENTICAL + SAFETY.max_reordered
        elif was is State.RUN and self.weather == "silence":
            self.seen.silences += any(record.trip is Trip.STALE_INPUT for record in tick.trips)

    def _check(self, command: NDArray[np.float64] | None, state: State) -> None:
        if command is None:
            self.running, self.velocity = False, np.zeros(2)
            return
        slack = np.zeros(2)
        if not self.running:  # it goes on from what was measured
            reading = self.bridge.observations.mailboxes["/joint_states" if self.arm else "/odom"].reading
            assert reading is not None
            names = ("position:joint1", "position:joint2") if self.arm else ("forward_m_s", "yaw_rate_rad_s")
            self.command, self.velocity = np.array([reading.values[name] for name in names]), np.zeros(2)
            slack = np.array([abs(reading.values[f"velocity:joint{i}"]) for i in (1, 2)]) if self.arm else slack
            assert (np.abs(slack if self.arm else self.command) <= 0.05).all()  # it stood
        self.seen.commands += 1
        assert np.isfinite(command).all()
        if self.arm:
            self._check_arm(command, slack)
        elif state is State.FAULT:
            assert not command.any()
        else:
            self._check_base(command)
        self.command, self.running = command, True

    def _check_arm(self, command: NDArray[np.float64], slack: NDArray[np.float64]) -> None:
        """Checks a command; `slack` is the speed [2] that the joints began with, in rad/s."""
        limits = self.bridge.profile.limits
        assert isinstance(limits, ArmLimits)
        assert limits.tool is not None
        assert self.tool is not None
        moved = (command - self.command) / PERIOD_S
        for i, joint in enumerate(limits.joints):
            assert joint.min_rad <= command[i] <= joint.max_rad
            assert abs(moved[i]) <= joint.velocity_rad_s * (1 + 1e-9)
            assert abs(moved[i] - self.velocity[i]) <= joint.acceleration_rad_s2 * PERIOD_S * (1 + 1e-6) + slack[i]
        tool_w_m = self.tool.positions(command[None])[0]
        assert (tool_w_m >= np.array(limits.tool.box_min_w_m) - 1e-12).all()
        assert (tool_w_m <= np.array(limits.tool.box_max_w_m) + 1e-12).all()
        self.velocity = moved

    def _check_base(self, command: NDArray[np.float64]) -> None:
        assert -0.2 <= command[0] <= 0.8
        assert abs(command[1]) <= 1.5
        greatest, change = np.array([1.0, 3.0]), (command - self.command) / PERIOD_S
        assert (np.abs(change) <= greatest * (1 + 1e-9)).all()
        assert (np.abs(change - self.velocity) <= 10 * greatest * PERIOD_S * (1 + 1e-6)).all()
        self.velocity = change

    def _say(self, topic: str) -> None:
        """Sends what an honest robot would, which follows or stands; its clock is set back at times."""
        self.clock_ns -= 50_000_000 if self.rng.random() < 0.002 else 0
        message = self._message(topic)
        if topic == self.frozen and topic in self.said:
            stamp, message = message.header.stamp, self.said[topic]
            message.header.stamp = stamp
            is_told = topic != "/odom" or abs(message.twist.twist.linear.x) > 2e-3
            self.num_same = self.num_same + is_told if self._drives else 0
        self.said[topic] = message
        self.last_sent_s[topic] = self.t_s
        self._send(topic, message)

    def _message(self, topic: str) -> Any:
        stamp_ns = self.clock_ns + self.t_ns - int(self.rng.integers(0, 10_000_000))
        noise = self.rng.normal(0.0, 0.01 if self._drives else 0.003, 2)
        if topic == "/joint_states":
            return joint_state(stamp_ns, self.command + self.rng.normal(0.0, 0.005, 2), self.velocity + noise)
        if topic == "/camera/image_raw":
            return image(stamp_ns, self.rng.integers(80, 120, (4, 6, 3), np.uint8))
        if topic == "/odom":
            speed, turn = self.command + noise
            self.way, self.yaw = self.way + speed * PERIOD_S, self.yaw + turn * PERIOD_S
            message = odometry(stamp_ns, speed, turn, yaw=self.yaw)
            message.pose.pose.position.x = self.way
            return message
        if topic == "/depth":
            return depth_image(stamp_ns, self.rng.uniform(2.0, 9.0, (6, 10, 1)).astype(np.float32))
        return scan(stamp_ns, self.rng.uniform(1.0, 9.0) + np.zeros(36))

    def _attack(self) -> None:
        """Sends one message that no honest robot would."""
        self.seen.hostile += 1
        self.seen.met += self._drives
        topic = str(self.rng.choice(list(self.sources)))
        if topic == "/stop" and self.rng.random() < 0.2:
            self._send(topic, TYPES.make("std_msgs/msg/Bool", data=bool(self.rng.integers(4))))
            self._send(topic, TYPES.make("std_msgs/msg/Bool", data=False))
            return
        message = TYPES.make("std_msgs/msg/Bool", data=True) if topic == "/stop" else self._message(topic)
        lot = self.rng.random()
        if topic != "/stop" and lot < 0.3:
            if lot < 0.2:
                self._poison(message)
            elif lot < 0.25 and topic in self.said:  # once more
                message = self.said[topic]
            else:  # of another time, as a valid message
                shift_ns = int(self.rng.uniform(-1e10, 1e10))
                message.header.stamp = TYPES.header(self.clock_ns + self.t_ns + shift_ns).stamp
            self._send(topic, message)
            return
        data, kind = TYPES.to_bytes(message), self.sources[topic]
        if self.codec.wraps and self.rng.random() < 0.5:
            self._send_bytes(topic, self.codec.pack(topic, kind, spoilt(data, (), self.rng)))
        else:
            self._send_bytes(topic, spoilt(self.codec.pack(topic, kind, data), self.codec.heads, self.rng))

    def _poison(self, message: Any) -> None:
        value = self._number(1)[0]
        if hasattr(message, "position"):
            (message.position if self.rng.random() < 0.5 else message.velocity)[self.rng.integers(3)] = value
        elif hasattr(message, "ranges"):
            message.ranges[self.rng.integers(len(message.ranges), size=20)] = np.float32(np.clip(value, -1e38, 1e38))
        elif hasattr(message, "twist"):
            message.twist.twist.linear.x = value
        elif getattr(message, "encoding", "") == "32FC1" and self.rng.random() < 0.7:
            pixels = np.array(message.data).view("<f4")
            with np.errstate(over="ignore"):
                pixels[self.rng.integers(pixels.size, size=self.rng.integers(1, pixels.size))] = value
            message.data = pixels.view(np.uint8)
        else:
            message.data = message.data[: self.rng.integers(len(message.data))]

    def _number(self, size: int) -> NDArray[np.float64]:
        return self.rng.choice(HOSTILE, size)

    def _send(self, topic: str, message: Any) -> None:
        self._send_bytes(topic, self.codec.pack(topic, self.sources[topic], TYPES.to_bytes(message)))

    def _send_bytes(self, topic: str, wire: bytes) -> None:
        self.seen.messages += 1
        kind = self.sources[topic]
        data = self.codec.unpack(topic, kind, wire)
        if data is not None:
            deliver(self.bridge, TYPES, Topic(name=topic, type=kind), data, self.t_ns)


def fuzz_block(seed: tuple[int, ...], codec: str, num_messages: int, *, arm: bool) -> Figures:
    """Sends so many messages to an arm or a base; returns what was seen."""
    one = Fuzz(np.random.default_rng(seed), codec, arm=arm)
    while one.seen.messages < num_messages:
        one.period()
    assert one.seen.commands > num_messages // 10
    assert one.seen.met
    return one.seen


def _seeing(profile: RobotProfile) -> RobotProfile:
    """Returns a base's profile with a depth camera beside its scanner."""
    camera = CameraTopic(topic="/depth", max_age_s=0.1, sensor="front", encoding="32FC1", obstacles=VIEW)
    return replace(profile, inputs=(*profile.inputs, camera))


def _watchful(profile: RobotProfile) -> RobotProfile:
    """Returns the profile with every input watched for being frozen that can be."""
    inputs = (
        replace(source, max_identical=_MAX_IDENTICAL) if hasattr(source, "max_identical") else source
        for source in profile.inputs
    )
    return replace(profile, inputs=tuple(inputs))
