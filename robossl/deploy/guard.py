"""Stands between the policy and the robot: no command leaves the limits, and whatever is wrong stops the robot.

This is not a safety-rated function: docs/safety.md says what it does and does not promise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robossl.core import UserError
from robossl.deploy.motion import Fault, Measured, Motion, Vector
from robossl.deploy.trips import Trip, TripRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """Tunes the guard.

    Attributes:
        period_s: between two commands.
        max_period_s: a longer pause stops the robot.
        blend_s: time over which the speed limits rise from zero after a start.
        speed: share of the speed limits that is used, in (0, 1].
        slow_from, stop_at: how unfamiliar the inputs are when the robot begins to slow down, and when it stops;
            0 is inside the range seen in training, 1 is as far outside as that range is wide.
    """

    period_s: float
    max_period_s: float
    blend_s: float
    speed: float
    slow_from: float
    stop_at: float

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not 0 < self.period_s <= self.max_period_s:
            raise UserError(f"max_period_s must be at least the period, {self.period_s} s, got {self.max_period_s}")
        if not 0 < self.speed <= 1:
            raise UserError(f"speed must be above 0 and at most 1, got {self.speed}")
        if not (0 <= self.slow_from < self.stop_at and self.blend_s >= 0):
            raise UserError(
                f"need 0 <= slow_from < stop_at and blend_s >= 0, got {self.slow_from}, {self.stop_at}, {self.blend_s}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard decided in one period.

    Attributes:
        command: [D] what the robot is told.
        scale: share of the speed limits that was allowed; 0 in a stop.
        trips: what tripped now; the stop lasts until the guard is started again.
    """

    command: Vector
    scale: float
    trips: tuple[TripRecord, ...] = ()


class SafetyGuard:
    """Turns what the policy wants into what the robot is told.

    After `start`, exactly one of `decide` and `stop` is called once per period. A trip is latched.
    """

    def __init__(self, motion: Motion, config: GuardConfig) -> None:
        self.config = config
        self._motion = motion
        self._started_s: float | None = None
        self._last_s = 0.0
        self.tripped: tuple[TripRecord, ...] = ()

    def start(self, measured: Measured, t_s: float) -> None:
        """Forgets earlier trips and goes on from the measured motion.

        Raises:
            ValueError: if the robot is not inside its limits.
        """
        self._started_s = None
        if not measured.is_sound:
            raise ValueError("the robot's own motion is not finite")
        self._motion.start(measured)
        self._started_s = self._last_s = t_s
        self.tripped = ()

    def moving(self, measured: Measured | None) -> tuple[Fault, ...]:
        """Returns what of the robot moves, which must not be when it is armed; see `Motion.moving`."""
        return tuple(self._motion.moving(measured)) if measured is not None and measured.is_sound else ()

    def decide(
        self,
        wanted: Vector | None,
        measured: Measured | None,
        t_s: float,
        *,
        faults: Sequence[Fault] = (),
        unfamiliarity: float = 0.0,
        strangest: str = "score",
    ) -> Decision:
        """Returns the next command.

        Args:
            wanted: [D] what the policy wants; None where it gave nothing in time.
            measured: the robot's own motion; None where it is not known, which `faults` then explains.
            t_s: now.
            faults: what is wrong with the inputs.
            unfamiliarity: how far outside their training range they are; see `GuardConfig`.
            strangest: which of them is the farthest outside.

        Raises:
            RuntimeError: before `start`.
        """
        if self._started_s is None:
            raise RuntimeError("a guard must be started before it decides")
        found = [*faults, *self._clock_faults(t_s)]
        found += self._missing(wanted, measured) if not found else []
        found += self._faults(wanted, measured)
        if not unfamiliarity <= (limit := self.config.stop_at):
            found.append(Fault(trip=Trip.UNFAMILIAR_INPUT, what=strangest, value=unfamiliarity, limit=limit))
        self._last_s = t_s
        new = tuple(TripRecord(t_s=t_s, trip=f.trip, what=f.what, value=f.value, limit=f.limit) for f in found)
        self.tripped = self.tripped or new
        if self.tripped or wanted is None or measured is None:
            return Decision(command=self._motion.stop(), scale=0.0, trips=new)
        scale = self._scale(t_s - self._started_s, unfamiliarity)
        return Decision(command=self._motion.towards(wanted, measured, scale=scale), scale=scale)

    def follow(self, measured: Measured | None) -> None:
        """Goes on from the measured motion: no robot was told the last command; see `Motion.follow`."""
        if measured is not None and measured.is_sound:
            self._motion.follow(measured)

    def stop(self, t_s: float) -> Decision:
        """Returns the next command of a stop that nothing but the operator asked for."""
        self._last_s = t_s
        return Decision(command=self._motion.stop(), scale=0.0)

    @property
    def at_rest(self) -> bool:
        """Tells whether the last command was the end of a stop."""
        return self._motion.at_rest

    def _clock_faults(self, t_s: float) -> list[Fault]:
        passed = t_s - self._last_s
        limit = self.config.max_period_s
        return [] if 0 <= passed <= limit else [Fault(trip=Trip.OVERRUN, what="period in s", value=passed, limit=limit)]

    def _missing(self, wanted: Vector | None, measured: Measured | None) -> list[Fault]:
        """Returns what is missing where nothing else explains it."""
        if measured is None:
            return [Fault(trip=Trip.STALE_INPUT, what="the robot's own motion is not known")]
        return [] if wanted is not None else [Fault(trip=Trip.OVERRUN, what="no action in time")]

    def _faults(self, wanted: Vector | None, measured: Measured | None) -> list[Fault]:
        found = []
        if wanted is not None and not np.isfinite(wanted).all():
            elements = ", ".join(map(str, np.flatnonzero(~np.isfinite(wanted))))
            found.append(Fault(trip=Trip.NON_FINITE_ACTION, what=f"element {elements}"))
        if measured is not None and not measured.is_sound:
            found.append(Fault(trip=Trip.NON_FINITE_INPUT, what="the robot's own motion"))
        elif measured is not None:
            found += self._motion.faults(measured)
        return found

    def _scale(self, running_s: float, unfamiliarity: float) -> float:
        """Returns the share of the speed limits: blended in, and less the less familiar the inputs are."""
        blend = min(1.0, running_s / self.config.blend_s) if self.config.blend_s > 0 else 1.0
        room = (self.config.stop_at - unfamiliarity) / (self.config.stop_at - self.config.slow_from)
        return self.config.speed * blend * float(np.clip(room, 0.0, 1.0))
