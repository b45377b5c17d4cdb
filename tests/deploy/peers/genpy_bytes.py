"""Messages as Debian's genpy writes them: {type: [MD5 sum, bytes in hexadecimal]} as JSON; run by /usr/bin/python3."""

import io
import json

import genpy
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, JointState, LaserScan
from std_msgs.msg import Bool, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint


def stamped(message: genpy.Message) -> genpy.Message:
    message.header.stamp, message.header.frame_id = genpy.Time(12, 345), "somewhere"
    return message


def examples() -> list[genpy.Message]:
    twist = stamped(TwistStamped())
    twist.twist.linear.x, twist.twist.angular.z = 0.25, -0.5
    odometry = stamped(Odometry(child_frame_id="base"))
    odometry.pose.covariance = [float(i) for i in range(36)]
    odometry.twist.twist.linear.y = -1e-300
    point = JointTrajectoryPoint(positions=[0.5, -1.0], velocities=[1.0], time_from_start=genpy.Duration(0, 30_000_000))
    return [
        stamped(JointState(name=["one", "joint_2"], position=[0.1, -0.2], velocity=[3.0, 4.0], effort=[])),
        stamped(Image(height=2, width=3, encoding="rgb8", step=9, data=bytes(range(18)))),
        stamped(LaserScan(angle_min=-1.0, range_max=9.0, ranges=[1.0, float("inf"), 0.5])),
        stamped(JointTrajectory(joint_names=["one", "joint_2"], points=[point])),
        odometry,
        twist,
        Twist(linear=twist.twist.linear),
        Float64MultiArray(data=[1.0, -2.0]),
        Bool(data=True),
    ]


def as_bytes(message: genpy.Message) -> bytes:
    buffer = io.BytesIO()
    message.serialize(buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    print(json.dumps({one._type: [one._md5sum, as_bytes(one).hex()] for one in examples()}))  # noqa: T201
