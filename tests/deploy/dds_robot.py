"""A base behind real DDS topics, in a process of its own: reports a speed, notes what it is told, falls silent.

usage: dds_robot.py DOMAIN_ID SILENT_AFTER_S END_AFTER_S, both counted from the first command; prints one JSON object.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from deploy_robots import TYPES, odometry

from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.dds import DdsTransport

PERIOD_S = 0.01


def main(domain_id: int, silent_after_s: float, end_after_s: float) -> None:
    transport = DdsTransport(RosConfig(domain_id=domain_id), TYPES)
    transport.advertise(Topic(name="/odom", type="nav_msgs/msg/Odometry"))
    heard: list[tuple[float, float, float]] = []

    def obey(data: bytes) -> None:
        twist = TYPES.from_bytes(data, "geometry_msgs/msg/TwistStamped").twist
        heard.append((time.monotonic(), twist.linear.x, twist.angular.z))

    transport.subscribe(Topic(name="/cmd_vel", type="geometry_msgs/msg/TwistStamped"), obey)
    deadline, silent_s = time.monotonic() + 20.0, None
    while time.monotonic() < deadline:
        begun = heard[0][0] if heard else time.monotonic()
        if time.monotonic() - begun > end_after_s:
            break
        if time.monotonic() - begun < silent_after_s:
            transport.publish(
                "/odom", TYPES.to_bytes(odometry(time.monotonic_ns(), *((0.1, 0.25) if heard else (0.0, 0.0))))
            )
        else:
            silent_s = silent_s or time.monotonic()
        transport.spin_once(PERIOD_S)
    transport.close()
    print(json.dumps({"silent_s": silent_s, "heard": heard}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
