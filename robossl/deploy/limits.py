"""What a robot may do: the numbers that the guard enforces. None has a default, since no number is right for all.

An arm's tool and a base's obstacles may be left out as a whole: such a profile can be tried out, but not go live.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, TypeAlias

from robossl.core import UserError

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointLimit:
    """One joint of an arm.

    Attributes:
        name: as the robot's messages have it.
        model: as the simulated model, and therefore the contract, has it.
        min_rad, max_rad: of commands; a measurement may be `tracking_rad` outside.
        velocity_rad_s, acceleration_rad_s2: of commands.
        measured_velocity_rad_s: measuring more stops the robot.
        deviation_rad: a command is not led farther than this away from the measured position.
        tracking_rad: a measurement farther than this from the command stops the robot.
    """

    name: str
    model: str
    min_rad: float
    max_rad: float
    velocity_rad_s: float
    acceleration_rad_s2: float
    measured_velocity_rad_s: float
    deviation_rad: float
    tracking_rad: float

    def __post_init__(self) -> None:
        """Checks what is given."""
        positive = ("velocity_rad_s", "acceleration_rad_s2", "measured_velocity_rad_s", "deviation_rad", "tracking_rad")
        _require_positive(self, positive, f"joint {self.name!r}")
        _require_ascending(self, ("min_rad", "max_rad"), f"joint {self.name!r}")
        _require_ascending(self, ("deviation_rad", "tracking_rad"), f"joint {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkGeometry:
    """One joint of a chain in Craig's (modified) Denavit-Hartenberg convention: Rx(alpha) Tx(a) Rz(q) Tz(d)."""

    a_m: float
    alpha_rad: float
    d_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolGeometry:
    """Where the tool is, given the joints.

    Attributes:
        links: one per joint.
        flange: from the last joint's frame to the tool's; its joint angle is `flange_turn_rad`.
        base_w_m: the arm's foot in the world frame that the policy knows.
        box_min_w_m, box_max_w_m: corners of the box that the tool's origin stays in.
    """

    links: tuple[LinkGeometry, ...]
    flange: LinkGeometry
    flange_turn_rad: float = 0.0
    base_w_m: Point = (0.0, 0.0, 0.0)
    box_min_w_m: Point
    box_max_w_m: Point

    def __post_init__(self) -> None:
        """Checks that the box has an inside."""
        for axis, low, high in zip("xyz", self.box_min_w_m, self.box_max_w_m, strict=True):
            if not low < high:
                raise UserError(f"the tool's box along {axis} must ascend, got {low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLimits:
    """An arm: its joints in the order of its commands, and its tool."""

    kind: Literal["arm"] = "arm"
    joints: tuple[JointLimit, ...]
    tool: ToolGeometry | None = None

    def __post_init__(self) -> None:
        """Checks that joints are told apart and that the geometry is theirs."""
        for attribute in ("name", "model"):
            names = [getattr(joint, attribute) for joint in self.joints]
            if len(set(names)) != len(names) or not names:
                raise UserError(f"an arm needs joints of different {attribute}s, got {names}")
        for one, other in combinations(self.joints, 2):
            if _is_called_as(one, other) and _is_called_as(other, one):
                raise UserError(f"joint {one.name!r} is {one.model!r} and {other.name!r} is {other.model!r}: swapped?")
        if self.tool and len(self.tool.links) != len(self.joints):
            raise UserError(f"the tool's geometry has {len(self.tool.links)} links for {len(self.joints)} joints")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisLimit:
    """One velocity of a base, in m or rad.

    Attributes:
        backward, forward: greatest speed each way, both positive or zero.
        acceleration, jerk: of commands.
        measured: measuring a greater speed stops the robot.
        tracking: measuring a speed farther than this from the command for `tracking_s` stops the robot.
    """

    backward: float
    forward: float
    acceleration: float
    jerk: float
    measured: float
    tracking: float

    def __post_init__(self) -> None:
        """Checks what is given."""
        _require_positive(self, ("acceleration", "jerk", "measured", "tracking"), "an axis")
        if not min(self.backward, self.forward) >= 0:
            raise UserError(f"an axis: no speed may be negative, got {self.backward} backward, {self.forward} forward")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstacleLimit:
    """How near a base comes to what its range sensor, or a depth camera with `obstacles`, sees.

    Attributes:
        half_width_m: of the corridor that the base sweeps, safety margin included.
        front_m, rear_m: from the range sensor, or the point that cameras' places count from, to the base's front and
            rear ends.
        stop_m: clearance at which it comes to stand, and beyond which it does not go on that way; it may still turn.
        latency_s: from the measurement to the brakes' grip.
    """

    kind: Literal["sensed"] = "sensed"
    half_width_m: float
    front_m: float
    rear_m: float
    stop_m: float
    latency_s: float

    def __post_init__(self) -> None:
        """Checks what is given."""
        _require_positive(self, ("half_width_m", "stop_m", "latency_s"), "obstacle")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoObstacleSensing:
    """Says that a base has no range sensor, and why it may drive all the same."""

    kind: Literal["blind"] = "blind"
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLimits:
    """A base that drives and turns.

    Attributes:
        tracking_s: how long it may do something else than it was told, without a break.
    """

    kind: Literal["base"] = "base"
    linear: AxisLimit
    angular: AxisLimit
    tracking_s: float
    obstacle: ObstacleLimit | NoObstacleSensing | None = None

    def __post_init__(self) -> None:
        """Checks the time."""
        _require_positive(self, ("tracking_s",), "a base")


RobotLimits: TypeAlias = ArmLimits | BaseLimits


def missing(limits: RobotLimits) -> str | None:
    """Returns what a robot needs before it may go live and these limits lack."""
    if isinstance(limits, ArmLimits):
        return None if limits.tool else "limits.tool: the box that the tool stays in"
    return None if limits.obstacle else "limits.obstacle: how near it comes to what it senses, or why it senses nothing"


def _is_called_as(joint: JointLimit, other: JointLimit) -> bool:
    """Tells whether a joint's name on the robot is the model's name for another one, whatever stands before it."""
    return joint.name.endswith(other.model) and not joint.name.endswith(joint.model)


def _require_positive(owner: Any, names: tuple[str, ...], what: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if not value > 0:
            raise UserError(f"{what}: {name} must be positive, got {value}")


def _require_ascending(owner: Any, names: tuple[str, str], what: str) -> None:
    low, high = (getattr(owner, name) for name in names)
    if not low < high:
        raise UserError(f"{what}: {names[0]} must be below {names[1]}, got {low} and {high}")
