"""Time as an argument: tests pass a clock that does not sleep."""

import time
from typing import Protocol

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine is suspended, where the system has such a clock (Linux): messages age meanwhile."""


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
        return time.clock_gettime_ns(_BOOT_CLOCK)

    def wall_ns(self) -> int:
        """See `Clock.wall_ns`."""
        return time.time_ns()


def now_s() -> float:
    """Returns `MonotonicClock.now_ns` in seconds."""
    return MonotonicClock().now_ns() / 1e9
