"""Values of one message of every type that travels, as plain dicts: what golden bytes were made of."""

from typing import Any

_HEADER = {"stamp": {"sec": 1_700_000_000, "nanosec": 123_456_789}, "frame_id": "frame"}
_TWIST = {"linear": {"x": 0.25, "y": -1e-300, "z": 0.0}, "angular": {"x": 0.0, "y": 3.0, "z": -0.5}}
_POSE = {"position": {"x": 1.0, "y": 2.0, "z": 3.0}, "orientation": {"x": 0.0, "y": 0.0, "z": 0.6, "w": 0.8}}
_POINT = {"positions": [0.5, -1.0], "velocities": [1.0], "accelerations": [], "effort": []}
_COVARIANCE = [float(i) for i in range(36)]

VALUES: dict[str, dict[str, Any]] = {
    "sensor_msgs/msg/JointState": {
        "header": _HEADER, "name": ["one", "joint_2", ""], "position": [0.1, -0.2, 3.0], "velocity": [1e300],
        "effort": [],
    },
    "sensor_msgs/msg/Image": {
        "header": _HEADER, "height": 2, "width": 3, "encoding": "rgb8", "is_bigendian": 0, "step": 9,
        "data": list(range(18)),
    },
    "sensor_msgs/msg/LaserScan": {
        "header": _HEADER, "angle_min": -1.0, "angle_max": 1.0, "angle_increment": 0.5, "time_increment": 0.0,
        "scan_time": 0.125, "range_min": 0.0625, "range_max": 30.0, "ranges": [1.0, float("inf"), 0.5, 2.0, 4.0],
        "intensities": [],
    },
    "nav_msgs/msg/Odometry": {
        "header": _HEADER, "child_frame_id": "base", "pose": {"pose": _POSE, "covariance": _COVARIANCE},
        "twist": {"twist": _TWIST, "covariance": _COVARIANCE},
    },
    "geometry_msgs/msg/PoseStamped": {"header": _HEADER, "pose": _POSE},
    "geometry_msgs/msg/Twist": _TWIST,
    "geometry_msgs/msg/TwistStamped": {"header": _HEADER, "twist": _TWIST},
    "trajectory_msgs/msg/JointTrajectory": {
        "header": _HEADER, "joint_names": ["one", "joint_2"],
        "points": [{**_POINT, "time_from_start": {"sec": 0, "nanosec": 30_000_000}}],
    },
    "std_msgs/msg/Float64MultiArray": {"layout": {"dim": [], "data_offset": 0}, "data": [1.0, -2.0]},
    "std_msgs/msg/Bool": {"data": True},
}  # fmt: skip
