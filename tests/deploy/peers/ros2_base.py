"""A ROS 2 base as somebody else would write it: rclpy and its own messages, nothing of robossl.

usage: ros2_base.py SILENT_AFTER_S END_AFTER_S, both counted from the first command; prints one JSON object with the
times and the speeds that it was told, and what the ROS graph said of those who told it.
"""

import json
import sys
import time

import rclpy
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data


def main(silent_after_s: float, end_after_s: float) -> None:
    heard: list[tuple[float, float, float]] = []
    graph: list[list[str]] = []

    def obey(message: TwistStamped) -> None:
        heard.append((time.monotonic(), message.twist.linear.x, message.twist.angular.z))
        if not graph:
            graph.extend([info.node_name, info.topic_type] for info in node.get_publishers_info_by_topic("/cmd_vel"))

    rclpy.init()
    node = rclpy.create_node("base")
    node.create_subscription(TwistStamped, "/cmd_vel", obey, 1)
    publisher = node.create_publisher(Odometry, "/odom", qos_profile_sensor_data)
    deadline, silent_s = time.monotonic() + 30.0, None
    while time.monotonic() < deadline:
        begun = heard[0][0] if heard else time.monotonic()
        if time.monotonic() - begun > end_after_s:
            break
        if time.monotonic() - begun < silent_after_s:
            publisher.publish(odometry(node, *((0.1, 0.25) if heard else (0.0, 0.0))))
        else:
            silent_s = silent_s or time.monotonic()
        rclpy.spin_once(node, timeout_sec=0.01)
    print(json.dumps({"silent_s": silent_s, "heard": heard, "graph": graph}), flush=True)  # noqa: T201
    node.destroy_node()
    rclpy.shutdown()


def odometry(node: Node, speed: float, turn: float) -> Odometry:
    message = Odometry()
    message.header.stamp = node.get_clock().now().to_msg()
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.linear.x, message.twist.twist.angular.z = speed, turn
    return message


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
