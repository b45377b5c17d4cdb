"""The newest reading of one input, and how old it is.

Robots' clocks are not ours: ages are counted from receipt. Stamps tell the order, and how much longer than the quickest
message so far one was on its way, whatever the difference of the clocks.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from robossl.deploy.limits import RobotLimits
from robossl.deploy.motion import Fault
from robossl.deploy.readings import STOP_PRESSED, Reading, read_message
from robossl.deploy.topics import InputTopic, StopInput
from robossl.deploy.trips import RefusedMessageError, Trip

_DRIFT = 2e-4
"""Two clocks may drift apart by this share without being taken for a slow network."""


class Mailbox:
    """Keeps one reading, however many messages come.

    A refused message never replaces a good one. A message that is not newer than the last is dropped; a stamp that
    stands still therefore ages. A stop that was pressed is told even if it was let go before anybody looked.
    """

    def __init__(self, source: InputTopic, limits: RobotLimits, *, max_age_s: float | None, max_reordered: int) -> None:
        self.source, self.max_age_s = source, max_age_s
        self.reading: Reading | None = None
        self.received_s = self.delay_s = 0.0
        self._limits = limits
        self._max_reordered = max_reordered
        self._max_identical: int | None = getattr(source, "max_identical", None)
        self._reordered = self._identical = 0
        self._pressed = False
        self._refused: Fault | None = None
        self._least_offset_s: float | None = None

    def put(self, message: Any, t_s: float) -> None:
        """Takes a message that came at `t_s`."""
        try:
            reading = read_message(message, self.source, self._limits)
        except RefusedMessageError as error:
            self.refuse(error.trip, str(error))
            return
        if self._is_newer(reading):
            self._pressed |= _presses(reading)
            if self._max_identical is not None:
                self._identical = self._identical + 1 if _same(reading, self.reading) else 0
            self.delay_s = self._extra_delay_s(reading, t_s)
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
        self.reading, self._refused, self._least_offset_s = None, None, None
        self._reordered = self._identical = 0

    def age_s(self, t_s: float) -> float:
        """Returns how old the reading is at `t_s`, extra time on its way included."""
        return t_s - self.received_s + self.delay_s

    def faults(self, t_s: float) -> Iterator[Fault]:
        """Yields what is wrong at `t_s`; a refused message is told once."""
        if self._refused is not None:
            yield self._refused
            self._refused = None
        if self._pressed or _presses(self.reading):
            yield Fault(trip=Trip.EMERGENCY_STOP, what="it is pressed")
        self._pressed = False
        if self._max_identical is not None and self._identical > self._max_identical:
            yield self._fault(Trip.FROZEN_INPUT, self._identical, self._max_identical)
        may_be_silent = self.max_age_s is None and isinstance(self.source, StopInput)
        if self.reading is None and not may_be_silent:
            yield Fault(trip=Trip.STALE_INPUT, what=f"{self.source.topic}: nothing came")
        elif self.max_age_s is None:
            return
        elif not (t_s >= self.received_s and self.age_s(t_s) <= self.max_age_s):
            yield self._fault(Trip.STALE_INPUT, self.age_s(t_s), self.max_age_s)

    def _is_newer(self, reading: Reading) -> bool:
        if self.reading is None or reading.stamp_ns is None or self.reading.stamp_ns is None:
            return True
        return reading.stamp_ns > self.reading.stamp_ns

    def _extra_delay_s(self, reading: Reading, t_s: float) -> float:
        """Returns how much longer than the quickest message this one was on its way."""
        if reading.stamp_ns is None:
            return 0.0
        offset_s = t_s - reading.stamp_ns / 1e9
        if self._least_offset_s is None:
            self._least_offset_s = offset_s
        self._least_offset_s = min(offset_s, self._least_offset_s + _DRIFT * (t_s - self.received_s))
        return offset_s - self._least_offset_s

    def _fault(self, trip: Trip, value: float, limit: float) -> Fault:
        return Fault(trip=trip, what=self.source.topic, value=value, limit=limit)


def _same(one: Reading, other: Reading | None) -> bool:
    if other is None or one.trace is None or other.trace is None:
        return False
    return np.array_equal(one.trace, other.trace, equal_nan=True)  # what failed may go on failing


def _presses(reading: Reading | None) -> bool:
    return reading is not None and bool(reading.values.get(STOP_PRESSED))
