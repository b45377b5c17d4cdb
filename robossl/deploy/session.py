"""One run of a bridge: moves messages between transport, bridge and recording, period by period, and stops cleanly."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from robossl.deploy.bridge import Bridge, Event, State, Tick
from robossl.deploy.clock import Clock
from robossl.deploy.encoder import CommandEncoder
from robossl.deploy.motion import Fault
from robossl.deploy.recorder import Recorder
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.session_record import PROPOSED_TOPIC, SESSION_TOPIC, TICK_TOPIC, tick_record
from robossl.deploy.topics import MESSAGE_TYPES, StopInput
from robossl.deploy.transports import Topic, Transport
from robossl.deploy.trips import RefusedMessageError, Trip

_REMEMBERED = 100_000
"""Periods whose latencies are kept."""


class Mode(Enum):
    """What becomes of commands.

    In a dry run nothing is advertised. Beside a shadow somebody else commands the robot, and that is recorded too.
    """

    DRY_RUN = "dry-run"
    SHADOW = "shadow"
    LIVE = "live"


class Session:
    """Runs a bridge on a transport.

    Attributes:
        latencies_s: {leg: seconds of the last periods that had a command}.
        last: the last period.
    """

    def __init__(
        self,
        bridge: Bridge,
        transport: Transport,
        *,
        types: RosTypes,
        clock: Clock,
        mode: Mode,
        period_s: float,
        recorder: Recorder | None = None,
    ) -> None:
        self.latencies_s: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self.last: Tick | None = None
        self._bridge, self._transport, self._types = bridge, transport, types
        self._clock, self._mode, self._recorder = clock, mode, recorder
        self._period_ns = round(period_s * 1e9)
        self._encoder = CommandEncoder(bridge.profile, types, period_s=period_s)
        self._events: SimpleQueue[Event] = SimpleQueue()  # the operator's thread asks, too
        self._wall_offset_ns = clock.wall_ns() - clock.now_ns()
        self._next_ns = clock.now_ns()
        sources = [box.source for box in bridge.observations.mailboxes.values()]
        self._unheard = [part.topic for part in sources if isinstance(part, StopInput) and part.must_be_there]
        self._connect()

    def describe(self, **facts: Any) -> None:
        """Writes into the recording what a replay needs to know of this session."""
        if self._recorder:
            facts = {**facts, "mode": self._mode.value, "wall_offset_ns": self._wall_offset_ns}
            self._recorder.record(SESSION_TOPIC, facts, self._clock.now_ns() + self._wall_offset_ns)

    def ask(self, event: Event) -> None:
        """Does what the operator asks, in the next period."""
        self._events.put(event)

    def period(self) -> Tick:
        """Hands over messages until the period is over, then decides, sends and records."""
        while (left_ns := self._next_ns - self._clock.now_ns()) > 0:
            self._transport.spin_once(left_ns / 1e9)
        self._transport.spin_once(0.0)
        begun = time.perf_counter()
        events = [self._events.get() for _ in range(self._events.qsize())]
        for event in events:
            self._bridge.handle(event)
        faults, t_ns = self._connection_faults(), self._clock.now_ns()
        tick = self._bridge.tick(t_ns / 1e9, faults)
        decided = time.perf_counter()
        sent = self._send(tick)
        done, took_s = time.perf_counter(), {"decide": decided - begun}
        if tick.command is not None:
            took_s |= {"send": done - decided} if sent else {}
            took_s |= {"input to command": tick.age_s + done - begun} if tick.wanted is not None else {}
            for leg, seconds in took_s.items():
                self.latencies_s[leg].append(seconds)
        self._record(tick, t_ns, tick_record(tick, t_ns, events, faults, sent=sent, took_s=took_s))
        self._next_ns = max(self._next_ns + self._period_ns, self._clock.now_ns() - self._period_ns)
        self.last = tick
        return tick

    def run(self, until: Callable[[Tick], bool]) -> None:
        """Runs periods until told to end, and whatever happens leaves the robot with the end of a stop."""
        try:
            while not until(self.period()):
                pass
        finally:
            self.stop()

    def stop(self) -> None:
        """Brakes, if the robot is moving, and waits until the stop has been sent."""
        self.ask(Event.HOLD)
        while self.period().command is not None:
            pass

    def _connect(self) -> None:
        for mailbox in self._bridge.observations.mailboxes.values():
            source = mailbox.source
            topic = Topic(name=source.topic, type=MESSAGE_TYPES[source.kind], sure=isinstance(source, StopInput))
            self._transport.subscribe(topic, self._receiver(topic, used=True))
        output = Topic(name=self._encoder.topic, type=self._encoder.type)
        if self._mode is Mode.LIVE:
            self._transport.advertise(output)
        elif self._mode is Mode.SHADOW:
            self._transport.subscribe(output, self._receiver(output, used=False))

    def _receiver(self, topic: Topic, *, used: bool) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            t_ns = self._clock.now_ns()
            if self._recorder:
                self._recorder.message(topic.name, topic.type, data, t_ns + self._wall_offset_ns)
            if used:
                deliver(self._bridge, self._types, topic, data, t_ns)

        return receive

    def _connection_faults(self) -> list[Fault]:
        """Says who is missing or too many, once commands are sent; who falls silent is noticed by the age of inputs."""
        if self._mode is not Mode.LIVE:
            return []
        output, faults = self._encoder.topic, []
        if not self._transport.peers(output):
            faults.append(Fault(trip=Trip.LOST_PEER, what=f"nobody listens to {output}"))
        others = self._transport.speakers(output)
        if others:
            faults.append(Fault(trip=Trip.SECOND_COMMANDER, what=f"others speak on {output}", value=others, limit=0))
        return faults + [
            Fault(trip=Trip.LOST_PEER, what=f"nobody speaks on {topic}, and it was never heard")
            for topic in self._unheard
            if self._bridge.observations.mailboxes[topic].reading is None and not self._transport.speakers(topic)
        ]

    def _send(self, tick: Tick) -> bool:
        if tick.command is None or self._mode is not Mode.LIVE:
            return False
        wall_ns = self._clock.wall_ns()
        data = self._types.to_bytes(self._encoder.encode(tick.command, wall_ns))
        self._transport.publish(self._encoder.topic, data)
        if self._recorder:
            time_ns = self._clock.now_ns() + self._wall_offset_ns
            self._recorder.message(self._encoder.topic, self._encoder.type, data, time_ns)
        return True

    def _record(self, tick: Tick, t_ns: int, record: dict[str, Any]) -> None:
        if self._recorder is None:
            return
        self._recorder.record(TICK_TOPIC, record, t_ns + self._wall_offset_ns)
        if tick.proposed is not None:
            values = self._types.values(np.asarray(tick.proposed))
            data = self._types.to_bytes(values)
            self._recorder.message(PROPOSED_TOPIC, self._types.type_of(values), data, t_ns + self._wall_offset_ns)


def deliver(bridge: Bridge, types: RosTypes, topic: Topic, data: bytes, t_ns: int) -> None:
    """Hands a message to a bridge; what cannot be read is refused there, by name."""
    try:
        message = types.from_bytes(data, topic.type)
    except RefusedMessageError as error:
        bridge.refuse(topic.name, error.trip, str(error))
        return
    bridge.receive(topic.name, message, t_ns / 1e9)


def bag_name(folder: Path, wall_ns: int) -> Path:
    """Returns the path of a new recording."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(wall_ns / 1e9))
    return folder / f"bridge-{stamp}-{wall_ns // 1_000_000 % 1000:03d}"


def percentiles(latencies_s: Mapping[str, Sequence[float] | deque[float]]) -> dict[str, dict[str, float]]:
    """Returns p50, p95 and p99 of each leg, in ms."""
    return {
        leg: {f"p{q}_ms": float(np.percentile(values, q)) * 1e3 for q in (50, 95, 99)}
        for leg, values in latencies_s.items()
        if values
    }


def is_over(tick: Tick) -> bool:
    """Tells whether a fault has been dealt with: the stop is sent, and only an operator can go on."""
    return tick.state is State.FAULT and tick.command is None
