"""A robot's profile: its topics, its limits and how the guard is tuned. Strict: nothing unknown, nothing left out."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from robossl.core import UserError
from robossl.core.strict_json import from_json, read_dataclass
from robossl.deploy.guard import GuardConfig
from robossl.deploy.limits import ArmLimits, BaseLimits, ObstacleLimit, Point, RobotLimits, missing
from robossl.deploy.topics import CameraTopic, InputTopic, OutputTopic, TwistOutput

FILE = "profile.json"
"""Name of a profile inside a bundle."""
SIMULATED_DOMAIN = 87
"""Of DDS, for rehearsals: robots are in 0 where nobody chose, and few people choose this one."""
_TOPIC = re.compile(r"(/[A-Za-z][A-Za-z0-9_]*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RosConfig:
    """How the robot is reached.

    Attributes:
        transport: dds; rclpy, where ROS 2 is installed; rosbridge through `url`; ros1 through `master`.
        distro: whose message definitions are spoken.
        domain_id: of DDS.
        interface: the only network interface that DDS and ROS 1 use.
        peers: addresses of the machines that take part; this one alone where empty.
        node: under which name DDS shows up in `ros2 node list`; where None as an unnamed participant, and as
            robossl_bridge with rclpy and ROS 1.
        url: of a rosbridge server; wss:// for TLS.
        ca_file: certificates in PEM by one of which a wss:// server's must be signed; the system's where None.
        master: address of ROS 1's master.
        token_variable: name of the environment variable that holds the server's bearer token; none where None.
    """

    transport: Literal["dds", "rclpy", "rosbridge", "ros1"] = "dds"
    distro: Literal["humble", "iron", "jazzy", "kilted"] = "humble"
    domain_id: int = 0
    interface: str = "lo"
    peers: tuple[str, ...] = ()
    node: str | None = None
    url: str = "ws://127.0.0.1:9090"
    master: str = "http://127.0.0.1:11311"
    token_variable: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        """Checks that every part can stand in an address."""
        if not 0 <= self.domain_id <= 232:
            raise UserError(f"domain_id must be in 0..232, got {self.domain_id}")
        for text in (self.interface, *self.peers):
            if not re.fullmatch(r"[A-Za-z0-9_.:\-]+", text):
                raise UserError(f"not the name of an interface or the address of a peer: {text!r}")
        if self.node is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.node):
            raise UserError(f"not the name of a node: {self.node!r}")
        if not self.url.startswith(("ws://", "wss://")):
            raise UserError(f"url must begin with ws:// or wss://, got {self.url!r}")
        if not re.fullmatch(r"http://[A-Za-z0-9_.\-]+:[0-9]+/?", self.master):
            raise UserError(f"master must be like http://127.0.0.1:11311, got {self.master!r}")

    def simulated(self) -> "RosConfig":
        """Returns where a simulated robot is reached: on this machine alone, where no real one listens."""
        return replace(self, transport="dds", domain_id=SIMULATED_DOMAIN, interface="lo", peers=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyConfig:
    """How the guard is tuned; see `GuardConfig`.

    Attributes:
        max_period_factor: periods after which a late command stops the robot.
        max_reordered: messages in a row that may be older than the newest one.
        stop_repeats: periods for which a finished stop is still sent.
        unscored: the policy's numbers that may leave their training range, e.g. a speed that was constant there.
    """

    max_period_factor: float
    max_reordered: int
    blend_s: float
    slow_from: float
    stop_at: float
    stop_repeats: int
    unscored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks the counts."""
        if self.max_reordered < 0 or self.stop_repeats < 1:
            raise UserError(
                f"need max_reordered >= 0 and stop_repeats >= 1, got {self.max_reordered}, {self.stop_repeats}"
            )

    def guard(self, period_s: float, *, speed: float) -> GuardConfig:
        """Returns the guard's config at a control period and a share of the speed limits."""
        return GuardConfig(
            period_s=period_s,
            max_period_s=self.max_period_factor * period_s,
            blend_s=self.blend_s,
            speed=speed,
            slow_from=self.slow_from,
            stop_at=self.stop_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolControl:
    """How joints follow the tool motions that a policy commands: damped least squares, as in the simulation.

    Attributes:
        name: of the tool's position in the contract: <name>_x_w_m and so on.
        damping: trades accuracy for small joint steps near singularities.
        posture_gain: share of the way to `posture_rad` made per step by the motion that the tool does not feel.
        posture_rad: preferred among all joint positions that reach the same tool pose; where None, that in which the
            robot was armed, as the simulation's episodes prefer the one that they start from.
        x_axis_w, z_axis_w: of the tool, kept while it moves.
    """

    name: str
    damping: float
    posture_gain: float
    posture_rad: tuple[float, ...] | None
    x_axis_w: Point
    z_axis_w: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotProfile:
    """One kind of robot."""

    name: str
    ros: RosConfig = RosConfig()
    inputs: tuple[InputTopic, ...]
    output: OutputTopic
    limits: RobotLimits
    tool_control: ToolControl | None = None
    safety: SafetyConfig

    def __post_init__(self) -> None:
        """Checks that the parts fit together."""
        topics = [part.topic for part in (*self.inputs, self.output)]
        for topic in topics:
            if not _TOPIC.fullmatch(topic):
                raise UserError(f"{topic!r} is not the full name of a topic, as in /camera/image_raw")
        if len(set(topics)) != len(topics):
            raise UserError(f"every topic may stand there once, got {sorted(topics)}")
        self._require_own_motion()
        control, limits = self.tool_control, self.limits
        if control and not (isinstance(limits, ArmLimits) and limits.tool):
            raise UserError("tool_control needs an arm with limits.tool")
        posture = control.posture_rad if control else None
        if posture and isinstance(limits, ArmLimits) and len(posture) != len(limits.joints):
            raise UserError(f"posture_rad has {len(posture)} values for {len(limits.joints)} joints")

    def require_live(self) -> None:
        """Checks that nothing is missing that a moving robot needs.

        Raises:
            UserError: naming it.
        """
        absent = missing(self.limits)
        if absent:
            raise UserError(f"profile {self.name} may not go live: it lacks {absent}")

    def _require_own_motion(self) -> None:
        """Checks that the robot's own motion is measured, and that commands are of its kind."""
        kinds = [part.kind for part in self.inputs]
        is_base = isinstance(self.limits, BaseLimits)
        kind = "odometry" if is_base else "joints"
        own = [part for part in self.inputs if part.kind == kind and getattr(part, "body", None) is None]
        if len(own) != 1:
            raise UserError(f"the robot needs one input of kind {kind!r} of its own, got {kinds}")
        self._require_obstacles_seen(kinds.count("scan"))
        if isinstance(self.output, TwistOutput) != is_base:
            raise UserError(f"an output of kind {self.output.kind!r} does not fit limits of kind {self.limits.kind!r}")

    def _require_obstacles_seen(self, num_scans: int) -> None:
        """Checks that what `limits.obstacle` speaks of is measured, and the other way round."""
        is_sensed = isinstance(self.limits, BaseLimits) and isinstance(self.limits.obstacle, ObstacleLimit)
        cameras = [part.topic for part in self.inputs if isinstance(part, CameraTopic) and part.obstacles]
        if cameras and not is_sensed:
            raise UserError(f"{cameras[0]} has obstacles, but limits.obstacle is not of kind 'sensed'")
        if is_sensed and num_scans != 1 and (num_scans or not cameras):
            raise UserError(
                "limits.obstacle needs one input of kind 'scan', or a depth camera whose `obstacles` say where it is"
                f" mounted and what is in the way, got {[part.kind for part in self.inputs]}"
            )


def profile_from_values(values: Any, *, file: str) -> RobotProfile:
    """Builds a profile from plain values.

    Raises:
        UserError: one line with file and key.
    """
    profile: RobotProfile = from_json(RobotProfile, values, file=file)
    return profile


def read_profile(content: bytes, *, file: str) -> RobotProfile:
    """Reads a profile from JSON; see `profile_from_values`."""
    return read_dataclass(RobotProfile, content, file=file)
