"""A recording, read: what a session heard, decided and sent, and the same decisions made again."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from robossl.core import UserError
from robossl.deploy.bag_file import read_bag
from robossl.deploy.bridge import Bridge, Commander, Event, Tick
from robossl.deploy.motion import Fault
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.session import Mode, deliver
from robossl.deploy.session_record import SESSION_TOPIC, TICK_TOPIC, read_fault
from robossl.deploy.topics import MESSAGE_TYPES
from robossl.deploy.transports import Topic

_SESSION = {"bundle": str, "profile": str, "speed": float, "mode": str, "wall_offset_ns": int}
_PERIOD = {"t_ns": int, "events": list, "faults": list, "late": bool, "decision": dict}
_DECISION = {"state": str, "trips": list, "waiting_for": list} | dict.fromkeys(
    ("proposed", "wanted", "command", "scale", "unfamiliarity", "age_s"), object
)
"""What every record says at least, and the type of each."""


class RecordedCommander(Commander, Protocol):
    """A policy in a recording that is decided again."""

    def expect(self, period: dict[str, Any]) -> None:
        """Is told what was recorded of the period that comes next; see `session_record.tick_record`."""


class Recording:
    """One bag.

    Attributes:
        bag: its folder.
        session: what was written when it began: bundle, profile, speed, mode, wall_offset_ns.
        began_ns: when that was written, by the wall clock: no other recording has it.
        lost: what of it could not be read, because the bridge was killed; None where it is whole.

    Raises:
        UserError: if it is no recording of a bridge.
    """

    def __init__(self, bag: Path) -> None:
        self.bag = bag
        self._types = RosTypes("humble")  # for texts, which are the same in all distributions
        found = read_bag(bag)
        self._messages, self.lost = found.messages, found.lost
        described = next((message for message in self._messages if message[0] == SESSION_TOPIC), None)
        if described is None:
            raise UserError(f"{bag} is no recording of a bridge: it has no {SESSION_TOPIC}")
        _, self.began_ns, data = described
        self.session = self._said(self._json(data), _SESSION)
        if self.session["mode"] not in {mode.value for mode in Mode}:
            raise UserError(f"{bag} was recorded in an unknown mode, {self.session['mode']!r}")

    @property
    def mode(self) -> Mode:
        """Returns what became of the commands."""
        return Mode(self.session["mode"])

    def require(self, digest: str, profile: RobotProfile) -> None:
        """Checks that it was made with a bundle and a profile.

        Raises:
            UserError: if not.
        """
        if self.session["bundle"] != digest or self.session["profile"] != profile.name:
            raise UserError(f"{self.bag} was recorded with another bundle or profile ({self.session['profile']})")

    def periods(self) -> Iterator[dict[str, Any]]:
        """Yields what was recorded of every control period."""
        return (self._period(data) for topic, _, data in self._messages if topic == TICK_TOPIC)

    def messages(self) -> Iterator[tuple[str, int, bytes]]:
        """Yields every message: topic, time on the session's clock in ns, bytes."""
        return ((topic, time_ns - self.session["wall_offset_ns"], data) for topic, time_ns, data in self._messages)

    def decided_again(self, policy: RecordedCommander, profile: RobotProfile) -> Iterator[tuple[dict[str, Any], Tick]]:
        """Delivers the same messages at the same times; yields every period as recorded, and as decided now."""
        obeyed = self.mode is Mode.LIVE
        bridge = Bridge(policy, profile, speed=self.session["speed"], obeyed=obeyed)
        types, mailboxes = RosTypes(profile.ros.distro), bridge.observations.mailboxes
        inputs = {name: Topic(name=name, type=MESSAGE_TYPES[box.source.kind]) for name, box in mailboxes.items()}
        for topic, time_ns, data in self.messages():
            if topic in inputs:
                deliver(bridge, types, inputs[topic], data, time_ns)
            elif topic == TICK_TOPIC:
                recorded = self._period(data)
                policy.expect(recorded)
                events, faults = self._told(recorded)
                for event in events:
                    bridge.handle(event)
                yield recorded, bridge.tick(recorded["t_ns"] / 1e9, faults)

    def _period(self, data: bytes) -> dict[str, Any]:
        period = self._said(self._json(data), _PERIOD)
        self._said(period["decision"], _DECISION)
        return period

    def _told(self, period: dict[str, Any]) -> tuple[list[Event], list[Fault]]:
        """Returns what the bridge was told beside messages."""
        try:
            return [Event(event) for event in period["events"]], [read_fault(fault) for fault in period["faults"]]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{self.bag} holds an event or a fault that cannot be read: {error}") from error

    def _said(self, record: dict[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
        """Returns a record, once it is known to say all of that."""
        absent = [name for name, kind in kinds.items() if name not in record or not isinstance(record[name], kind)]
        if absent:
            raise UserError(f"{self.bag} holds a record without {', '.join(absent)}: not of this version's bridge")
        return record

    def _json(self, data: bytes) -> dict[str, Any]:
        try:
            found = json.loads(self._types.from_bytes(data, "std_msgs/msg/String").data)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.bag} holds a record that cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise UserError(f"{self.bag} holds a record that is no JSON object")
        return found
