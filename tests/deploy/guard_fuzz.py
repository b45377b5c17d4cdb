"""Throws random, reordered, non-finite and hostile messages at a bridge and checks every command.

After every trip the operator resets and arms again, as long as there are messages left.
"""

from collections import Counter
from typing import Any

import numpy as np
from deploy_robots import (
    PERIOD_S,
    TYPES,
    Scripted,
    arm_contract,
    arm_profile,
    base_contract,
    base_profile,
    image,
    joint_state,
    odometry,
    scan,
)
from numpy.random import Generator
from numpy.typing import NDArray

from robossl.deploy.bridge import Bridge, Event, State
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits
from robossl.deploy.topics import MESSAGE_TYPES
from robossl.deploy.trips import RefusedMessageError, Trip

HOSTILE = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e6, -1e6, 0.0, -0.0)
_GREY = np.full((4, 6, 3), 100, np.uint8)


class Fuzz:
    """One bridge under fire.

    Attributes:
        trips: how often each trip was seen.
        num_commands: that were checked.
    """

    def __init__(self, rng: Generator, *, arm: bool) -> None:
        self.rng, self.arm = rng, arm
        self.trips: Counter[Trip] = Counter()
        self.num_commands = self.num_messages = 0
        profile = arm_profile() if arm else base_profile()
        contract = arm_contract() if arm else base_contract()
        self.policy = Scripted(contract, 0.0, 0.0)
        self.bridge = Bridge(self.policy, profile, speed=1.0, obeyed=True)
        self.sources = {source.topic: MESSAGE_TYPES[source.kind] for source in profile.inputs}
        self.tool = ToolKinematics(profile.limits.tool) if isinstance(profile.limits, ArmLimits) else None  # type: ignore[arg-type]
        self.t_s, self.stamp_ns = 0.0, 1
        self.command, self.velocity, self.running = np.zeros(2), np.zeros(2), False

    def period(self) -> None:
        """Passes one control period: messages, what the policy says, a tick, and the check of what comes out."""
        late = self.rng.random() < 0.002
        self.t_s += PERIOD_S * (self.rng.uniform(1.0, 4.0) if late else 1.0)
        self.policy.answer = self._number(2) if self.rng.random() < 0.05 else self.rng.normal(0.0, 2.0, 2)
        for topic in self.sources:
            if topic != "/stop" and self.rng.random() > 0.01:
                self._send(topic, self._message(topic))
        if self.rng.random() < 0.02:
            self._attack()
        tick = self.bridge.tick(self.t_s)
        self.trips.update(record.trip for record in tick.trips)
        self._check(tick.command, tick.state)
        if self.bridge.state is State.FAULT and tick.command is None:
            self.bridge.handle(Event.RESET)
        self.bridge.handle(Event.ARM)

    def _check(self, command: NDArray[np.float64] | None, state: State) -> None:
        if command is None:
            self.running = False
            return
        if not self.running:  # it begins at rest, where it was found
            reading = self.bridge.observations.mailboxes["/joint_states"].reading if self.arm else None
            joints = [value for name, value in reading.values.items() if "pos" in name] if reading else [0.0, 0.0]
            self.command, self.velocity = np.array(joints), np.zeros(2)
        self.num_commands += 1
        assert np.isfinite(command).all()
        if self.arm:
            self._check_arm(command)
        elif state is State.FAULT:
            assert not command.any()
        else:
            self._check_base(command)
        self.command, self.running = command, True

    def _check_arm(self, command: NDArray[np.float64]) -> None:
        limits = self.bridge.profile.limits
        assert isinstance(limits, ArmLimits)
        assert self.tool is not None
        moved = (command - self.command) / PERIOD_S
        for i, joint in enumerate(limits.joints):
            assert joint.min_rad <= command[i] <= joint.max_rad
            assert abs(moved[i]) <= joint.velocity_rad_s * (1 + 1e-9)
            assert abs(moved[i] - self.velocity[i]) <= joint.acceleration_rad_s2 * PERIOD_S * (1 + 1e-6)
        assert self.tool.positions(command[None])[0, 0] >= 0.2 - 1e-12
        self.velocity = moved

    def _check_base(self, command: NDArray[np.float64]) -> None:
        assert -0.2 <= command[0] <= 0.8
        assert abs(command[1]) <= 1.5
        greatest, change = np.array([1.0, 3.0]), (command - self.command) / PERIOD_S
        assert (np.abs(change) <= greatest * (1 + 1e-9)).all()
        assert (np.abs(change - self.velocity) <= 10 * greatest * PERIOD_S * (1 + 1e-6)).all()
        self.velocity = change

    def _message(self, topic: str) -> Any:
        self.stamp_ns += int(self.rng.integers(0, 20_000_000)) if self.rng.random() > 0.003 else -50_000_000
        stamp_ns = max(1, self.stamp_ns)
        if topic == "/joint_states":
            return joint_state(stamp_ns, self.command + self.rng.normal(0.0, 0.005, 2))
        if topic == "/camera/image_raw":
            return image(stamp_ns, _GREY)
        if topic == "/odom":
            return odometry(stamp_ns, *(self.command + self.rng.normal(0.0, 0.01, 2)))
        return scan(stamp_ns, self.rng.uniform(1.0, 9.0) + np.zeros(36))

    def _attack(self) -> None:
        """Sends one message that no honest robot would."""
        topic = str(self.rng.choice(list(self.sources)))
        kind = self.rng.integers(4)
        if topic == "/stop":
            self._send(topic, TYPES.make("std_msgs/msg/Bool", data=bool(kind)))
            self._send(topic, TYPES.make("std_msgs/msg/Bool", data=False))
            return
        message = self._message(topic)
        if kind == 0:
            self._poison(message)
            self._send(topic, message)
            return
        data = bytearray(TYPES.to_bytes(message))
        if kind == 1:
            data = data[: self.rng.integers(len(data))]
        elif kind == 2:
            for i in self.rng.integers(0, len(data), 8):
                data[i] = self.rng.integers(256)
        else:
            data = bytearray(self.rng.bytes(self.rng.integers(0, 400)))
        self._send_bytes(topic, bytes(data))

    def _poison(self, message: Any) -> None:
        value = self._number(1)[0]
        if hasattr(message, "position"):
            message.position[self.rng.integers(3)] = value
        elif hasattr(message, "ranges"):
            message.ranges[self.rng.integers(len(message.ranges), size=20)] = np.float32(np.clip(value, -1e38, 1e38))
        elif hasattr(message, "twist"):
            message.twist.twist.linear.x = value
        else:
            message.data = message.data[: self.rng.integers(len(message.data))]

    def _number(self, size: int) -> NDArray[np.float64]:
        return self.rng.choice(HOSTILE, size)

    def _send(self, topic: str, message: Any) -> None:
        self.num_messages += 1
        self.bridge.receive(topic, message, self.t_s)

    def _send_bytes(self, topic: str, data: bytes) -> None:
        self.num_messages += 1
        try:
            message = TYPES.from_bytes(data, self.sources[topic])
        except RefusedMessageError as error:
            self.bridge.refuse(topic, error.trip, str(error))
            return
        self.bridge.receive(topic, message, self.t_s)


def fuzz(num_messages: int, seed: int) -> Counter[Trip]:
    """Sends so many messages to an arm and to a base; returns how often each trip was seen."""
    trips: Counter[Trip] = Counter()
    for arm in (True, False):
        one = Fuzz(np.random.default_rng([seed, arm]), arm=arm)
        while one.num_messages < num_messages // 2:
            one.period()
        assert one.num_commands > num_messages // 16
        trips += one.trips
    return trips
