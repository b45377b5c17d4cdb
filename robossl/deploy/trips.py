"""The reasons to stop, each with a name, and the record that one leaves."""

from dataclasses import dataclass
from enum import Enum


class Trip(Enum):
    """Why the guard stopped the robot."""

    STALE_INPUT = "stale_input"
    FROZEN_INPUT = "frozen_input"
    OUT_OF_ORDER = "out_of_order"
    NON_FINITE_INPUT = "non_finite_input"
    MALFORMED_INPUT = "malformed_input"
    MISSING_JOINT = "missing_joint"
    NON_FINITE_ACTION = "non_finite_action"
    MEASURED_POSITION = "measured_position"
    MEASURED_SPEED = "measured_speed"
    TRACKING_ERROR = "tracking_error"
    OBSTACLE = "obstacle"
    UNFAMILIAR_INPUT = "unfamiliar_input"
    OVERRUN = "overrun"
    LOST_PEER = "lost_peer"
    SECOND_COMMANDER = "second_commander"
    EMERGENCY_STOP = "emergency_stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRecord:
    """One reason at one time.

    Attributes:
        t_s: on the bridge's clock.
        what: the input, joint or axis concerned.
        value: what was measured, where it is a number.
        limit: what it may be at most (or, for positions, where the range ends).
    """

    trip: Trip
    t_s: float
    what: str
    value: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        number = "" if self.value is None else f" {self.value:.4g}"
        bound = "" if self.limit is None else f" (limit {self.limit:.4g})"
        return f"{self.trip.value}: {self.what}{number}{bound}"


class RefusedMessageError(ValueError):
    """Reports a message that is not used, and the trip that it means."""

    def __init__(self, trip: Trip, text: str) -> None:
        super().__init__(text)
        self.trip = trip
