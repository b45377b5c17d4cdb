"""Time as an argument: tests pass a clock that does not sleep."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a session knows of time."""

    def now_ns(self) -> int:
        """Returns monotonic time: what ages and periods are measured by."""

    def wall_ns(self) -> int:
        """Returns the time of day, as stamps have it."""


class MonotonicClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """See `Clock.now_ns`."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """See `Clock.wall_ns`."""
        return time.time_ns()
