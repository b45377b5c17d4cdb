"""A recording, decided again: the same messages at the same times must lead to the same decisions, to the last bit."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader

from robossl.core import Contract, UserError
from robossl.deploy.bridge import Bridge, Commander, Event
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.session import Mode, deliver
from robossl.deploy.session_record import SESSION_TOPIC, TICK_TOPIC, decision_record, read_fault
from robossl.deploy.topics import MESSAGE_TYPES
from robossl.deploy.transports import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a replay found.

    Attributes:
        periods: that were decided again.
        different: of them, those decided differently.
        first: the first of these, and the fields that differ.
    """

    periods: int
    different: int
    first: str | None


class ReplayedPolicy:
    """See `Commander`; is late where the recorded one was."""

    def __init__(self, policy: Commander) -> None:
        self.contract: Contract = policy.contract
        self.late = False
        self._policy = policy

    def reset(self) -> None:
        """See `Commander.reset`."""
        self._policy.reset()

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
        """See `Commander.command`."""
        return None if self.late else self._policy.command(inputs)


def replay(bag: Path, policy: Commander, profile: RobotProfile, *, digest: str) -> Comparison:
    """Decides a recording again.

    Args:
        bag: the recording's folder.
        policy: of the bundle it was made with.
        profile: that it was made with.
        digest: of the bundle.

    Raises:
        UserError: if it is no recording of a bridge, or of another bundle or profile.
    """
    messages = _read(bag)
    types = RosTypes(profile.ros.distro)
    _, _, data = next((m for m in messages if m[0] == SESSION_TOPIC), (None, 0, None))
    if data is None:
        raise UserError(f"{bag} is no recording of a bridge: it has no {SESSION_TOPIC}")
    session = _json(types, data)
    if session["bundle"] != digest or session["profile"] != profile.name:
        raise UserError(f"{bag} was recorded with another bundle or profile ({session['profile']})")
    replayed = ReplayedPolicy(policy)
    bridge = Bridge(replayed, profile, speed=session["speed"], obeyed=session["mode"] == Mode.LIVE.value)
    inputs = {
        name: Topic(name=name, type=MESSAGE_TYPES[mailbox.source.kind])
        for name, mailbox in bridge.observations.mailboxes.items()
    }
    periods = 0
    differences: list[str] = []
    for name, time_ns, data in messages:
        if name in inputs:
            deliver(bridge, types, inputs[name], data, time_ns - session["wall_offset_ns"])
        elif name == TICK_TOPIC:
            differences += _decide(bridge, replayed, _json(types, data), periods)
            periods += 1
    return Comparison(periods=periods, different=len(differences), first=differences[0] if differences else None)


def _decide(bridge: Bridge, policy: ReplayedPolicy, recorded: dict[str, Any], period: int) -> Iterator[str]:
    for event in recorded["events"]:
        bridge.handle(Event(event))
    policy.late = recorded["late"]
    tick = bridge.tick(recorded["t_ns"] / 1e9, [read_fault(fault) for fault in recorded["faults"]])
    decided, before = decision_record(tick), recorded["decision"]
    wrong = [f"{key} was {before[key]}, is {decided[key]}" for key in decided if decided[key] != before[key]]
    if wrong:
        yield f"period {period}: {'; '.join(wrong)}"


def _read(bag: Path) -> list[tuple[str, int, bytes]]:
    try:
        with Reader(bag) as reader:
            return [(connection.topic, time_ns, bytes(data)) for connection, time_ns, data in reader.messages()]
    except Exception as error:  # rosbags' own errors, and whatever a damaged file makes it raise
        raise UserError(f"{bag} cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from error


def _json(types: RosTypes, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(types.from_bytes(data, "std_msgs/msg/String").data)
    return found
