"""The newest reading of one input and when it came: robots' clocks are not ours, so stamps only tell the order."""

from collections.abc import Iterator
from typing import Any

from robossl.deploy.limits import RobotLimits
from robossl.deploy.motion import Fault
from robossl.deploy.readings import Reading, read_message
from robossl.deploy.topics import InputTopic
from robossl.deploy.trips import RefusedMessageError, Trip


class Mailbox:
    """Keeps one reading, however many messages come.

    A refused message never replaces a good one. A message that is not newer than the last is dropped; a stamp that
    stands still therefore ages.
    """

    def __init__(self, source: InputTopic, limits: RobotLimits, *, max_age_s: float | None, max_reordered: int) -> None:
        self.source, self.max_age_s = source, max_age_s
        self.reading: Reading | None = None
        self.received_s = 0.0
        self._limits = limits
        self._max_reordered = max_reordered
        self._reordered = 0
        self._refused: Fault | None = None

    def put(self, message: Any, t_s: float) -> None:
        """Takes a message that came at `t_s`."""
        try:
            reading = read_message(message, self.source, self._limits)
        except RefusedMessageError as error:
            self.refuse(error.trip, str(error))
            return
        if self._is_newer(reading):
            self.reading, self.received_s, self._reordered = reading, t_s, 0
            return
        self._reordered += 1
        if self._reordered > self._max_reordered:
            self._refused = self._fault(Trip.OUT_OF_ORDER, self._reordered, self._max_reordered)

    def refuse(self, trip: Trip, text: str) -> None:
        """Remembers that a message could not be used."""
        self._refused = Fault(trip=trip, what=f"{self.source.topic}: {text}"[:200])

    def clear(self) -> None:
        """Forgets everything."""
        self.reading, self._refused, self._reordered = None, None, 0

    def faults(self, t_s: float) -> Iterator[Fault]:
        """Yields what is wrong at `t_s`; a refused message is told once."""
        if self._refused is not None:
            yield self._refused
            self._refused = None
        if self.max_age_s is None:
            return
        if self.reading is None:
            yield Fault(trip=Trip.STALE_INPUT, what=f"{self.source.topic}: nothing came")
        elif not 0 <= t_s - self.received_s <= self.max_age_s:
            yield self._fault(Trip.STALE_INPUT, t_s - self.received_s, self.max_age_s)

    def _is_newer(self, reading: Reading) -> bool:
        if self.reading is None or reading.stamp_ns is None or self.reading.stamp_ns is None:
            return True
        return reading.stamp_ns > self.reading.stamp_ns

    def _fault(self, trip: Trip, value: float, limit: float) -> Fault:
        return Fault(trip=trip, what=self.source.topic, value=value, limit=limit)
