"""From numbers and pictures to the ROS messages of a robot's drivers: what `robossl.deploy.readings` reads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import PictureEncoding
from robossl.envs.sensors.lidar import Lidar
from robossl.rehearsal.world import BodyMotion

_COLOURS = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0]}
_OPAQUE = 255
_MM_PER_M = 1e3


class Messages:
    """Makes messages of one distribution; stamps are wall time in ns."""

    def __init__(self, types: RosTypes) -> None:
        self._types = types

    def joints(
        self, stamp_ns: int, names: list[str], positions: NDArray[np.float64], velocities: NDArray[np.float64]
    ) -> Any:
        """Makes a `sensor_msgs/JointState`."""
        return self._types.make(
            "sensor_msgs/msg/JointState",
            header=self._types.header(stamp_ns),
            name=names,
            position=positions,
            velocity=velocities,
            effort=np.zeros(0),
        )

    def pose(self, stamp_ns: int, motion: BodyMotion) -> Any:
        """Makes a `geometry_msgs/PoseStamped` in the world."""
        header = self._types.header(stamp_ns, "world")
        return self._types.make("geometry_msgs/msg/PoseStamped", header=header, pose=self._pose(motion))

    def odometry(self, stamp_ns: int, body: str, motion: BodyMotion) -> Any:
        """Makes a `nav_msgs/Odometry`: the pose in the world, the twist in the body's frame."""
        make, none = self._types.make, np.zeros(36)
        twist = make(
            "geometry_msgs/msg/Twist",
            linear=self._vector(motion.linear_b_m_s),
            angular=self._vector(motion.angular_b_rad_s),
        )
        return make(
            "nav_msgs/msg/Odometry",
            header=self._types.header(stamp_ns, "world"),
            child_frame_id=body,
            pose=make("geometry_msgs/msg/PoseWithCovariance", pose=self._pose(motion), covariance=none),
            twist=make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=none),
        )

    def picture(self, stamp_ns: int, frame: str, picture: NDArray[Any], encoding: PictureEncoding) -> Any:
        """Makes a `sensor_msgs/Image` of colours, uint8 [H, W, 3], or distances in m, float32 [H, W, 1]."""
        pixels = encode_picture(picture, encoding)
        height, width = pixels.shape[:2]
        return self._types.make(
            "sensor_msgs/msg/Image",
            header=self._types.header(stamp_ns, frame),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=0,
            step=pixels.nbytes // height,
            data=pixels.reshape(-1).view(np.uint8),
        )

    def scan(self, stamp_ns: int, lidar: Lidar, ranges_m: NDArray[np.float32]) -> Any:
        """Makes a `sensor_msgs/LaserScan` of [num_beams] distances; +inf where nothing echoes, by REP 117."""
        first = -lidar.fov_rad / 2
        gaps = lidar.num_beams if lidar.fov_rad >= 2 * np.pi else max(1, lidar.num_beams - 1)
        increment = lidar.fov_rad / gaps
        return self._types.make(
            "sensor_msgs/msg/LaserScan",
            header=self._types.header(stamp_ns, lidar.site),
            angle_min=first,
            angle_max=first + increment * (lidar.num_beams - 1),
            angle_increment=increment,
            time_increment=0.0,
            scan_time=0.0,
            range_min=lidar.min_m,
            range_max=lidar.max_m,
            ranges=np.where(ranges_m >= lidar.max_m, np.float32(np.inf), ranges_m),
            intensities=np.zeros(0, np.float32),
        )

    def values(self, numbers: list[float]) -> Any:
        """Makes a `std_msgs/Float64MultiArray`."""
        return self._types.values(numbers)

    def stop(self, pressed: bool) -> Any:
        """Makes a `std_msgs/Bool`."""
        return self._types.make("std_msgs/msg/Bool", data=pressed)

    def _pose(self, motion: BodyMotion) -> Any:
        w, x, y, z = (float(part) for part in motion.quaternion)
        return self._types.make(
            "geometry_msgs/msg/Pose",
            position=self._vector(motion.position_w_m, "Point"),
            orientation=self._types.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
        )

    def _vector(self, values: NDArray[np.float64], kind: str = "Vector3") -> Any:
        x, y, z = (float(value) for value in values)
        return self._types.make(f"geometry_msgs/msg/{kind}", x=x, y=y, z=z)


def encode_picture(picture: NDArray[Any], encoding: PictureEncoding) -> NDArray[Any]:
    """Returns a picture [H, W, C] as a camera of that encoding sends it."""
    if encoding == "32FC1":
        return np.ascontiguousarray(picture, np.float32)
    if encoding == "16UC1":
        return np.rint(np.clip(picture * _MM_PER_M, 0, np.iinfo(np.uint16).max)).astype(np.uint16)
    colours = np.ascontiguousarray(picture[..., _COLOURS[encoding.replace("a", "")]])
    if "a" not in encoding:
        return colours
    return np.concatenate([colours, np.full((*picture.shape[:2], 1), _OPAQUE, np.uint8)], axis=-1)
