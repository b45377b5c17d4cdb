"""A ROS 1 base as somebody else would write it: Debian's rospy and messages, nothing of robossl.

usage: /usr/bin/python3 ros1_base.py SILENT_AFTER_S END_AFTER_S, both counted from the first command; prints one JSON
object with the times and the speeds that it was told.
"""

import json
import sys
import time

import rospy
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry


def main(silent_after_s: float, end_after_s: float) -> None:
    heard: list[tuple[float, float, float]] = []

    def obey(message: TwistStamped) -> None:
        heard.append((time.monotonic(), message.twist.linear.x, message.twist.angular.z))

    rospy.init_node("base", disable_rosout=True)
    rospy.Subscriber("/cmd_vel", TwistStamped, obey, tcp_nodelay=True)
    publisher = rospy.Publisher("/odom", Odometry, queue_size=1, tcp_nodelay=True)
    deadline, silent_s = time.monotonic() + 30.0, None
    while time.monotonic() < deadline:
        begun = heard[0][0] if heard else time.monotonic()
        if time.monotonic() - begun > end_after_s:
            break
        if time.monotonic() - begun < silent_after_s:
            publisher.publish(odometry(0.1, 0.25) if heard else odometry(0.0, 0.0))
        else:
            silent_s = silent_s or time.monotonic()
        time.sleep(0.01)
    print(json.dumps({"silent_s": silent_s, "heard": heard}))  # noqa: T201


def odometry(speed: float, turn: float) -> Odometry:
    message = Odometry()
    message.header.stamp = rospy.Time.from_sec(time.time())
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.linear.x, message.twist.twist.angular.z = speed, turn
    return message


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
