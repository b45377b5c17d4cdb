"""What can go wrong with a robot on purpose: each fault by name, switched on and off while it runs."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from robossl.core import UnknownNameError, UserError

FaultName: TypeAlias = Literal[
    "camera_dropped",
    "camera_frozen",
    "odometry_frozen",
    "delayed",
    "reordered",
    "lost_link",
    "slow_network",
    "joint_order",
    "nan",
    "encoder_drift",
    "stop_pressed",
]
FAULTS: tuple[FaultName, ...] = get_args(FaultName)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSizes:
    """Says how bad faults are.

    Attributes:
        delay_s: of every message under `delayed`; under `slow_network`, on the average, both ways and in order.
        drift_per_s: how fast the first joint's reported position strays under `encoder_drift`, in rad/s; a base's
            reported speed, in m/s^2.
    """

    delay_s: float = 0.3
    drift_per_s: float = 0.5

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not 0 < self.delay_s < float("inf"):
            raise UserError(f"fault-sizes.delay-s must be positive, got {self.delay_s}")
        if not 0 < abs(self.drift_per_s) < float("inf"):
            raise UserError(f"fault-sizes.drift-per-s must not be zero, got {self.drift_per_s}")


class Faults:
    """Which faults are on, and since when.

    Attributes:
        since_ns: {fault: monotonic time} of those that are on.
    """

    def __init__(self, sizes: FaultSizes) -> None:
        self.sizes = sizes
        self.since_ns: dict[FaultName, int] = {}

    def switch(self, name: str, on: bool, t_ns: int) -> None:
        """Switches a fault on or off.

        Raises:
            UnknownNameError: if there is none of that name.
        """
        known = next((fault for fault in FAULTS if fault == name), None)
        if known is None:
            raise UnknownNameError("fault", name, FAULTS)
        if on:
            self.since_ns.setdefault(known, t_ns)
        else:
            self.since_ns.pop(known, None)

    def has(self, name: FaultName) -> bool:
        """Tells whether a fault is on."""
        return name in self.since_ns

    def drift(self, t_ns: int) -> float:
        """Returns how far the encoder has strayed."""
        since_ns = self.since_ns.get("encoder_drift")
        return 0.0 if since_ns is None else self.sizes.drift_per_s * (t_ns - since_ns) / 1e9
