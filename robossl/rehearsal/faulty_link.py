"""A transport whose messages are late, out of order or lost when faults say so, in both directions."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection
from itertools import count

import numpy as np

from robossl.deploy.clock import Clock
from robossl.deploy.transports import Receive, Topic, Transport
from robossl.rehearsal.faults import Faults

REVERSED = 4
"""Messages of a topic that come in reversed order together: three are older than the newest, in a row."""


class FaultyLink:
    """See `Transport`; passes everything on where no fault is on.

    Args:
        inner: the transport.
        faults: what is on.
        clock: by which messages are late.
        spared: topics that no fault touches.
        seed: of the delays.
    """

    def __init__(
        self, inner: Transport, faults: Faults, clock: Clock, *, spared: Collection[str] = (), seed: int = 0
    ) -> None:
        self._inner, self._faults, self._clock, self._spared = inner, faults, clock, spared
        self._generator = np.random.default_rng(seed)
        self._late: list[tuple[int, int, Callable[[], None]]] = []
        self._last_due_ns: dict[tuple[str, str], int] = defaultdict(int)
        self._held: dict[tuple[str, str], list[Callable[[], None]]] = defaultdict(list)
        self._numbers = count()

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`."""

        def take(data: bytes) -> None:
            self._pass(topic.name, "in", lambda: receive(data))

        self._inner.subscribe(topic, take)

    def advertise(self, topic: Topic) -> None:
        """See `Transport.advertise`."""
        self._inner.advertise(topic)

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`."""
        self._pass(topic, "out", lambda: self._inner.publish(topic, data))

    def spin_once(self, timeout_s: float) -> None:
        """See `Transport.spin_once`."""
        if self._late:
            timeout_s = min(timeout_s, max(0.0, (self._late[0][0] - self._clock.now_ns()) / 1e9))
        self._inner.spin_once(timeout_s)
        while self._late and self._late[0][0] <= self._clock.now_ns():
            heapq.heappop(self._late)[2]()

    def peers(self, topic: str) -> int:
        """See `Transport.peers`: a lost link does not show here, as it does not in DDS for some time."""
        return self._inner.peers(topic)

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`; likewise."""
        return self._inner.speakers(topic)

    def is_awaited(self, topic: str) -> bool:
        """Tells whether a message of a topic is on its way to here, late."""
        return self._last_due_ns[topic, "in"] > self._clock.now_ns()

    def close(self) -> None:
        """See `Transport.close`."""
        self._inner.close()

    def _pass(self, topic: str, way: str, deliver: Callable[[], None]) -> None:
        faults, line = self._faults, (topic, way)
        if topic in self._spared:
            deliver()
        elif faults.has("lost_link"):
            return
        elif faults.has("reordered"):
            held = self._held[line]
            held.append(deliver)
            if len(held) == REVERSED:
                for one in reversed(held):
                    one()
                held.clear()
        elif faults.has("delayed") or faults.has("slow_network"):
            self._delay(line, deliver)
        else:
            deliver()

    def _delay(self, line: tuple[str, str], deliver: Callable[[], None]) -> None:
        """Keeps a message back; those of one topic and way stay in order."""
        delay_s = self._faults.sizes.delay_s
        if not self._faults.has("delayed"):
            delay_s = float(self._generator.exponential(delay_s))
        due_ns = max(self._clock.now_ns() + round(delay_s * 1e9), self._last_due_ns[line])
        self._last_due_ns[line] = due_ns
        heapq.heappush(self._late, (due_ns, next(self._numbers), deliver))
