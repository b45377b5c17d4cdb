"""Small robots for tests: an arm of two joints with a tool and a camera, and a base with a range sensor."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import CommandSpec, Contract
from robossl.core.contract import CameraInput, ElementSpec, Range, TrainedOn, VectorInput
from robossl.deploy.limits import (
    ArmLimits,
    AxisLimit,
    BaseLimits,
    JointLimit,
    LinkGeometry,
    ObstacleLimit,
    ToolGeometry,
)
from robossl.deploy.profile import RobotProfile, SafetyConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import (
    CameraTopic,
    DepthView,
    JointsInput,
    OdometryInput,
    ScanInput,
    StopInput,
    TrajectoryOutput,
    TwistOutput,
)

PERIOD_S = 0.02


def joint(i: int, **changes: Any) -> JointLimit:
    limit = JointLimit(
        name=f"robot_joint{i}",
        model=f"joint{i}",
        min_rad=-1.0 - 0.5 * i,
        max_rad=1.5 + 0.5 * i,
        velocity_rad_s=1.0 + 0.5 * i,
        acceleration_rad_s2=6.0 + i,
        measured_velocity_rad_s=4.0,
        deviation_rad=0.3,
        tracking_rad=0.6,
    )
    return replace(limit, **changes)


def arm(*, tool: bool = False) -> ArmLimits:
    """Two links of 0.5 m in the plane; the box cuts away what lies left of x = 0.2 m."""
    links = (LinkGeometry(a_m=0.0, alpha_rad=0.0, d_m=0.0), LinkGeometry(a_m=0.5, alpha_rad=0.0, d_m=0.0))
    geometry = ToolGeometry(
        links=links,
        flange=LinkGeometry(a_m=0.5, alpha_rad=0.0, d_m=0.0),
        box_min_w_m=(0.2, -0.9, -0.1),
        box_max_w_m=(1.1, 0.9, 0.1),
    )
    return ArmLimits(joints=(joint(1), joint(2)), tool=geometry if tool else None)


def base() -> BaseLimits:
    return BaseLimits(
        linear=AxisLimit(backward=0.2, forward=0.8, acceleration=1.0, jerk=10.0, measured=1.2, tracking=0.3),
        angular=AxisLimit(backward=1.5, forward=1.5, acceleration=3.0, jerk=30.0, measured=2.5, tracking=0.8),
        tracking_s=1.0,
        obstacle=ObstacleLimit(half_width_m=0.25, front_m=0.2, rear_m=0.2, stop_m=0.1, latency_s=0.1),
    )


def panda_tool(**changes: Any) -> ToolGeometry:
    """The simulated Panda with its rod (assets/arm_push/README.md)."""
    half = math.pi / 2
    rows = [(0, 0, 0.333), (0, -half, 0), (0, half, 0.316), (0.0825, half, 0), (-0.0825, -half, 0.384), (0, half, 0)]
    links = tuple(LinkGeometry(a_m=a, alpha_rad=alpha, d_m=d) for a, alpha, d in (*rows, (0.088, half, 0)))
    flange = LinkGeometry(a_m=0.0, alpha_rad=0.0, d_m=0.107 + 0.150)
    box = {"box_min_w_m": (0.35, -0.24, 0.01), "box_max_w_m": (0.75, 0.24, 0.6)}
    return ToolGeometry(**{"links": links, "flange": flange, "flange_turn_rad": -math.pi / 4, **box, **changes})


VIEW = DepthView(
    fov_y_rad=1.0,
    forward_m=0.1,
    left_m=0.03,
    height_m=0.3,
    pitch_rad=0.2,
    low_m=0.05,
    high_m=0.6,
    far_m=3.0,
    min_pixels=4,
    max_failed=0.2,
)
TYPES = RosTypes("humble")
SEEN = Range(low=-3.0, q01=-2.0, q99=2.0, high=3.0)
PIXELS = Range(low=0.0, q01=10.0, q99=245.0, high=255.0)
SAFETY = SafetyConfig(max_period_factor=1.5, max_reordered=2, blend_s=0.0, slow_from=0.25, stop_at=1.0, stop_repeats=3)


def arm_profile(**changes: Any) -> RobotProfile:
    profile = RobotProfile(
        name="two_joints",
        inputs=(
            JointsInput(topic="/joint_states", max_age_s=0.1),
            CameraTopic(topic="/camera/image_raw", max_age_s=0.1, sensor="front", encoding="bgr8"),
            StopInput(topic="/stop", max_age_s=None),
        ),
        output=TrajectoryOutput(topic="/controller/joint_trajectory", horizon_periods=1.5),
        limits=arm(tool=True),
        safety=SAFETY,
    )
    return replace(profile, **changes)


def base_profile(**changes: Any) -> RobotProfile:
    profile = RobotProfile(
        name="small_base",
        inputs=(
            OdometryInput(topic="/odom", max_age_s=0.1),
            ScanInput(topic="/scan", max_age_s=0.1),
        ),
        output=TwistOutput(topic="/cmd_vel", stamped=True),
        limits=base(),
        safety=SAFETY,
    )
    return replace(profile, **changes)


def contract(**changes: Any) -> Contract:
    trained_on = TrainedOn(env="test/Toy-v0", engine="none", render=None, agent="sac", run="runs/toy/1", step=64)
    return Contract(
        **{
            "robossl": "0.1.0",
            "trained_on": trained_on,
            "policy": "policy.onnx",
            "opset": 18,
            "control_hz": 50.0,
            **changes,
        }
    )


def vector(name: str, *elements: ElementSpec) -> VectorInput:
    return VectorInput(name=name, shape=(len(elements),), max_age_s=0.2, elements=elements)


def element(name: str, unit: str = "rad", joint: str | None = None) -> ElementSpec:
    return ElementSpec(name=name, unit=unit, joint=joint, low=None, high=None, seen=SEEN)


def arm_contract(**changes: Any) -> Contract:
    """Sees both joints and a camera; commands both joints' positions."""
    camera = CameraInput(
        name="rgb_front",
        shape=(2, 4, 6, 3),
        dtype="uint8",
        modality="rgb",
        sensor="front",
        encoding="rgb8",
        max_age_s=0.2,
        seen=(PIXELS,) * 3,
    )
    joints = [
        element(f"joint{i}_{unit}", unit.replace("_", "/"), f"joint{i}") for unit in ("rad", "rad_s") for i in (1, 2)
    ]
    commands = tuple(
        CommandSpec(name=f"joint{i}_rad", unit="rad", source=i - 1, scale=1.0, offset=0.0, low=-1.0, high=1.0)
        for i in (1, 2)
    )
    parts = {"inputs": (vector("proprio", *joints), camera), "actions": ("first", "second"), "commands": commands}
    return contract(**{**parts, **changes})


def base_contract(**changes: Any) -> Contract:
    """Sees its speed; commands speed and yaw rate."""
    proprio = vector("proprio", element("speed_m_s", "m/s"), element("yaw_rate_rad_s", "rad/s"))
    commands = (
        CommandSpec(name="speed_m_s", unit="m/s", source=None, scale=0.0, offset=2.0, low=2.0, high=2.0),
        CommandSpec(name="yaw_rate_rad_s", unit="rad/s", source=0, scale=2.0, offset=0.0, low=-2.0, high=2.0),
    )
    return contract(**{"inputs": (proprio,), "actions": ("steering",), "commands": commands, **changes})


class Scripted:
    """A policy that always commands the same."""

    def __init__(self, its_contract: Contract, *command: float) -> None:
        self.contract, self.answer = its_contract, np.array(command) if command else None
        self.seen: list[Mapping[str, NDArray[Any]]] = []
        self.num_resets = 0

    def reset(self) -> None:
        self.num_resets += 1

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
        self.seen.append(inputs)
        return self.answer


def joint_state(stamp_ns: int, positions: Sequence[float], velocities: Sequence[float] = (0.0, 0.0)) -> Any:
    """Joints in the wrong order, and one that does not belong to the arm."""
    return TYPES.make(
        "sensor_msgs/msg/JointState",
        header=TYPES.header(stamp_ns),
        name=["robot_joint2", "finger", "robot_joint1"],
        position=np.array([positions[1], 9.0, positions[0]]),
        velocity=np.array([velocities[1], 9.0, velocities[0]]),
        effort=np.zeros(0),
    )


def image(stamp_ns: int, pixels: NDArray[np.uint8], encoding: str = "bgr8", padding: int = 0) -> Any:
    height, width, channels = pixels.shape
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)))
    return TYPES.make(
        "sensor_msgs/msg/Image",
        header=TYPES.header(stamp_ns, "camera"),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=width * channels + padding,
        data=rows.ravel(),
    )


def depth_image(stamp_ns: int, picture: NDArray[np.float32]) -> Any:
    """Distances [H, W, 1] in m."""
    rows, columns = picture.shape[:2]
    size = {"height": rows, "width": columns, "step": 4 * columns, "encoding": "32FC1", "is_bigendian": 0}
    data = np.ascontiguousarray(picture).reshape(-1).view(np.uint8)
    return TYPES.make("sensor_msgs/msg/Image", header=TYPES.header(stamp_ns, "camera"), data=data, **size)


def odometry(stamp_ns: int, speed: float, turn: float = 0.0, *, yaw: float = 0.0, side: float = 0.0) -> Any:
    def point(kind: str, **xyz: float) -> Any:
        return TYPES.make(f"geometry_msgs/msg/{kind}", **{"x": 0.0, "y": 0.0, "z": 0.0, **xyz})

    turned = point("Quaternion", z=math.sin(yaw / 2), w=math.cos(yaw / 2))
    pose = TYPES.make("geometry_msgs/msg/Pose", position=point("Point", x=1.0, y=2.0), orientation=turned)
    twist = TYPES.make(
        "geometry_msgs/msg/Twist", linear=point("Vector3", x=speed, y=side), angular=point("Vector3", z=turn)
    )
    none = np.zeros(36)
    return TYPES.make(
        "nav_msgs/msg/Odometry",
        header=TYPES.header(stamp_ns, "odom"),
        child_frame_id="base_link",
        pose=TYPES.make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=none),
        twist=TYPES.make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=none),
    )


def scan(stamp_ns: int, ranges: NDArray[np.floating[Any]], *, range_min: float = 0.05) -> Any:
    """Rays all round, the first one straight back."""
    return TYPES.make(
        "sensor_msgs/msg/LaserScan",
        header=TYPES.header(stamp_ns, "laser"),
        angle_min=-math.pi,
        angle_max=math.pi,
        angle_increment=2 * math.pi / len(ranges),
        time_increment=0.0,
        scan_time=0.1,
        range_min=range_min,
        range_max=30.0,
        ranges=np.asarray(ranges, np.float32),
        intensities=np.zeros(0, np.float32),
    )
