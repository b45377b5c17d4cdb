"""What the guard needs of a kind of robot: the next command inside its limits, the one that stops it, what is wrong.

There are two: `ArmMotion` commands joint positions, `BaseMotion` velocities.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.trips import Trip

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the robot's sensors say of its own motion.

    Attributes:
        position: [D] joint positions in rad; empty for a base.
        velocity: [D] joint velocities in rad/s; forward speed in m/s and yaw rate in rad/s for a base.
        clearance_m: [2, K] free way ahead and behind by `clearance.HEADINGS_RAD`; None where nothing measures it.
    """

    position: Vector
    velocity: Vector
    clearance_m: Vector | None = None

    @property
    def is_sound(self) -> bool:
        """Tells whether every number is one; a way may be free without end."""
        finite = bool(np.isfinite(self.position).all() and np.isfinite(self.velocity).all())
        return finite and (self.clearance_m is None or not np.isnan(self.clearance_m).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: a trip without its time."""

    trip: Trip
    what: str
    value: float | None = None
    limit: float | None = None


class Motion(Protocol):
    """Shapes the commands [D] of one robot. The state is that of the last command."""

    def start(self, measured: Measured) -> None:
        """Goes on from the measured motion; `moving` says whether the robot may be taken over as it is.

        Raises:
            ValueError: if it is not inside its limits.
        """

    def moving(self, measured: Measured) -> Iterator[Fault]:
        """Yields what moves faster than the noise of a robot that stands."""

    def follow(self, measured: Measured) -> None:
        """Takes the measured motion for the last command: for trying out beside a robot that somebody else moves."""

    def towards(self, wanted: Vector, measured: Measured, *, scale: float) -> Vector:
        """Returns the next command on the way to `wanted` [D], with speeds scaled by `scale` in [0, 1]."""

    def stop(self) -> Vector:
        """Returns the next command of a stop."""

    @property
    def at_rest(self) -> bool:
        """Tells whether a stop is complete."""

    def faults(self, measured: Measured) -> Iterator[Fault]:
        """Yields what is wrong with what was measured, given the commands so far; called once per period."""
