"""What a profile says of the robot's topics: where each input comes from, and where commands go."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from robossl.core import UserError

PictureEncoding = Literal["rgb8", "bgr8", "rgba8", "bgra8", "32FC1", "16UC1"]


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
    """

    kind: Literal["odometry"] = "odometry"
    topic: str
    max_age_s: float
    body: str | None = None


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
class CameraTopic:
    """`sensor_msgs/Image`.

    Attributes:
        sensor: the camera's name in the model.
        encoding: of its messages.
        max_identical: pictures in a row that may be the same to the last bit: a real camera's noise differs. Not
            looked at where None, as for a simulated one.
    """

    kind: Literal["camera"] = "camera"
    topic: str
    max_age_s: float
    sensor: str
    encoding: PictureEncoding
    max_identical: int | None = None


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
    """

    kind: Literal["scan"] = "scan"
    topic: str
    max_age_s: float
    beams: ScanBeams | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInput:
    """`std_msgs/Bool`: true stops the robot.

    Attributes:
        max_age_s: a silence this long stops it too; None where the button speaks only when it is pressed.
    """

    kind: Literal["stop"] = "stop"
    topic: str
    max_age_s: float | None


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
