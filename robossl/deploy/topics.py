"""What a profile says of the robot's topics: where each input comes from, and where commands go."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from robossl.core import UserError

PictureEncoding = Literal["rgb8", "bgr8", "rgba8", "bgra8", "32FC1", "16UC1"]
DEPTH_ENCODINGS = ("32FC1", "16UC1")


@dataclass(frozen=True, slots=True, kw_only=True)
class JointsInput:
    """`sensor_msgs/JointState`: positions and velocities of the profile's joints, found by name.

    Attributes:
        max_age_s: older ones stop the robot.
    """

    kind: Literal["joints"] = "joints"
    topic: str
    max_age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OdometryInput:
    """`nav_msgs/Odometry` of the base itself, or of a body that is tracked.

    Attributes:
        body: the body's name in the model; None for the base.
        max_identical: messages in a row that may have the same pose to the last bit while they say that it moves.
            What stands still cannot be told from what is frozen. Not looked at where None.
    """

    kind: Literal["odometry"] = "odometry"
    topic: str
    max_age_s: float
    body: str | None = None
    max_identical: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseInput:
    """`geometry_msgs/PoseStamped` of a body or a goal, in the frame of the base's odometry.

    Attributes:
        max_age_s: older ones stop the robot; None where it is told once and then holds, as a goal.
    """

    kind: Literal["pose"] = "pose"
    topic: str
    max_age_s: float | None
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesInput:
    """`std_msgs/Float64MultiArray`: numbers with the names that the contract has for them."""

    kind: Literal["values"] = "values"
    topic: str
    max_age_s: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthView:
    """Where a depth camera that looks ahead is mounted, and what in its pictures is in the base's way.

    Attributes:
        fov_y_rad: of its pictures, from top to bottom; pixels are square and the optical axis meets the middle.
        forward_m, left_m: the camera, from the point that `front_m` of `limits.obstacle` counts from.
        height_m: the camera, above the floor.
        pitch_rad: by which it looks down.
        low_m, high_m: what is between these heights above the floor is in the way.
        far_m: ahead of that point, beyond which it is not believed: the way is never longer.
        min_pixels: of an obstacle; fewer are noise.
        max_failed: share, of the pixels that look at the way, that may say nothing; with more the way is not free.
    """

    fov_y_rad: float
    forward_m: float
    left_m: float
    height_m: float
    pitch_rad: float
    low_m: float
    high_m: float
    far_m: float
    min_pixels: int
    max_failed: float

    def __post_init__(self) -> None:
        """Checks that the camera looks ahead and that its numbers leave something to see."""
        if not (0 < self.fov_y_rad < 3.1 and abs(self.pitch_rad) < 1.5):
            raise UserError(f"no camera that looks ahead: fov_y_rad {self.fov_y_rad}, pitch_rad {self.pitch_rad}")
        if not (0 <= self.low_m < self.high_m and self.height_m > 0 and self.far_m > self.forward_m):
            raise UserError("obstacles of a camera: need 0 <= low_m < high_m, height_m > 0 and far_m > forward_m")
        if not (self.min_pixels >= 1 and 0 <= self.max_failed < 1):
            raise UserError("obstacles of a camera: need min_pixels >= 1 and 0 <= max_failed < 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTopic:
    """`sensor_msgs/Image`.

    Attributes:
        sensor: the camera's name in the model.
        encoding: of its messages.
        max_identical: pictures in a row that may be the same to the last bit: a real camera's noise differs. Not
            looked at where None, as for a simulated one.
        obstacles: how a depth camera sees what is in a base's way, where the guard is to look at it.
    """

    kind: Literal["camera"] = "camera"
    topic: str
    max_age_s: float
    sensor: str
    encoding: PictureEncoding
    max_identical: int | None = None
    obstacles: DepthView | None = None

    def __post_init__(self) -> None:
        """Checks that only depth is asked for distances."""
        if self.obstacles and self.encoding not in DEPTH_ENCODINGS:
            raise UserError(f"{self.topic}: a camera with obstacles must give depth, got {self.encoding}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanBeams:
    """What the policy was trained with of a full turn of the scanner.

    Attributes:
        num: beams, one spacing apart; the first looks behind.
        min_m, max_m: least and greatest distance.
    """

    num: int
    min_m: float
    max_m: float

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.num < 1 or not 0 <= self.min_m < self.max_m:
            raise UserError(f"a scanner cannot have {self.num} beams from {self.min_m} to {self.max_m} m")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInput:
    """`sensor_msgs/LaserScan`, for the guard, and for the policy where `beams` are given.

    Its frame's x axis points forward.

    Attributes:
        max_identical: scans in a row whose distances may be the same to the last bit: a real scanner's noise differs.
            Scans with fewer echoes than `min_rays` are not compared, e.g. in the open. Not looked at where None.
        min_rays: so many of those that look one way, within 26 degrees, must say something, or it is not free.
    """

    kind: Literal["scan"] = "scan"
    topic: str
    max_age_s: float
    beams: ScanBeams | None = None
    max_identical: int | None = None
    min_rays: int = 5

    def __post_init__(self) -> None:
        """Checks that something must be seen."""
        if self.min_rays < 1:
            raise UserError(f"{self.topic}: min_rays must be at least 1, got {self.min_rays}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInput:
    """`std_msgs/Bool`: true stops the robot.

    Attributes:
        max_age_s: a silence this long stops it too; None where the button speaks only when it is pressed. Going live
            then takes somebody who could speak, or one message.
        unheard_because: why the robot may be commanded even if nobody could; it must, where None.
    """

    kind: Literal["stop"] = "stop"
    topic: str
    max_age_s: float | None
    unheard_because: str | None = None

    @property
    def must_be_there(self) -> bool:
        """Tells whether it is to be noticed that nobody could press the button, as no age tells that."""
        return self.max_age_s is None and not self.unheard_because


InputTopic: TypeAlias = JointsInput | OdometryInput | PoseInput | ValuesInput | CameraTopic | ScanInput | StopInput

MESSAGE_TYPES: dict[str, str] = {
    "joints": "sensor_msgs/msg/JointState",
    "odometry": "nav_msgs/msg/Odometry",
    "pose": "geometry_msgs/msg/PoseStamped",
    "values": "std_msgs/msg/Float64MultiArray",
    "camera": "sensor_msgs/msg/Image",
    "scan": "sensor_msgs/msg/LaserScan",
    "stop": "std_msgs/msg/Bool",
}
"""ROS type of an input, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryOutput:
    """One point of `trajectory_msgs/JointTrajectory`, for a JointTrajectoryController.

    Attributes:
        horizon_periods: the point's `time_from_start`; after it the controller holds.
    """

    kind: Literal["trajectory"] = "trajectory"
    topic: str
    horizon_periods: float

    def __post_init__(self) -> None:
        """Checks that the point lies ahead, and not far."""
        if not 1 <= self.horizon_periods <= 3:
            raise UserError(f"horizon_periods must be between 1 and 3, got {self.horizon_periods}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsOutput:
    """`std_msgs/Float64MultiArray` of joint positions, for a forward controller.

    Attributes:
        robot_timeout_s: after which the robot itself stops without new commands. Forward controllers of ros2_control
            have no such time-out of their own: one must be there.
    """

    kind: Literal["positions"] = "positions"
    topic: str
    robot_timeout_s: float

    def __post_init__(self) -> None:
        """Checks that there is a time-out."""
        if not self.robot_timeout_s > 0:
            raise UserError(f"robot_timeout_s must be positive, got {self.robot_timeout_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TwistOutput:
    """`geometry_msgs/Twist`, or `TwistStamped` as ros2_controllers want it since Jazzy.

    Attributes:
        frame: of the stamped message's header.
        linear, angular: the contract's commands that mean forward speed (m/s) and yaw rate (rad/s).
    """

    kind: Literal["twist"] = "twist"
    topic: str
    stamped: bool
    frame: str = "base_link"
    linear: str = "speed_m_s"
    angular: str = "yaw_rate_rad_s"


OutputTopic: TypeAlias = TrajectoryOutput | PositionsOutput | TwistOutput

OUTPUT_TYPES: dict[str, str] = {
    "trajectory": "trajectory_msgs/msg/JointTrajectory",
    "positions": "std_msgs/msg/Float64MultiArray",
}


def output_type(output: OutputTopic) -> str:
    """Returns the ROS type of a command."""
    if isinstance(output, TwistOutput):
        return f"geometry_msgs/msg/{'TwistStamped' if output.stamped else 'Twist'}"
    return OUTPUT_TYPES[output.kind]
