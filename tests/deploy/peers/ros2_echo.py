"""A ROS 2 node as somebody else would write it, that repeats what it hears: read and written by its own messages.

usage: ros2_echo.py TYPE ...; what comes on /there/N goes back on /back/N, as the N-th type. Says which nodes and which
offers it sees when it is told anything on /look, as JSON on /seen; ends with its standard input.
"""

import json
import sys
import threading
from typing import Any

import rclpy
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosidl_runtime_py.utilities import get_message
from std_msgs.msg import String

OFFER = QoSProfile(depth=10)
WISH = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)  # nothing of who speaks best effort is heard


def type_hash(info: Any) -> str:
    return str(getattr(info, "topic_type_hash", "Humble has none"))


def main(kinds: list[str]) -> None:
    rclpy.init()
    node = rclpy.create_node("echo")
    for i, kind in enumerate(kinds):
        made = get_message(kind)
        publisher = node.create_publisher(made, f"/back/n{i}", OFFER)
        node.create_subscription(made, f"/there/n{i}", publisher.publish, WISH)
    seen = node.create_publisher(String, "/seen", OFFER)

    def look(_: String) -> None:
        offers = {
            f"n{i}": [
                [
                    info.node_name,
                    info.topic_type,
                    info.qos_profile.reliability.name,
                    info.qos_profile.durability.name,
                    type_hash(info) == type_hash(node.get_publishers_info_by_topic(f"/back/n{i}")[0]),
                ]
                for info in node.get_publishers_info_by_topic(f"/there/n{i}")
            ]
            for i in range(len(kinds))
        }
        seen.publish(String(data=json.dumps({"nodes": sorted(node.get_node_names()), "offers": offers})))

    node.create_subscription(String, "/look", look, WISH)
    threading.Thread(target=sys.stdin.read, name="end").start()
    while any(thread.name == "end" for thread in threading.enumerate()):
        rclpy.spin_once(node, timeout_sec=0.05)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
