"""Opens a ROS 1 transport, speaks and listens, and prints the local addresses of this process's sockets as JSON.

usage: ros1_listeners.py MASTER [INTERFACE]
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from deploy_robots import TYPES
from sockets import local_addresses

from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.ros1 import Ros1Transport

interface = sys.argv[2] if len(sys.argv) > 2 else "lo"
transport = Ros1Transport(RosConfig(transport="ros1", master=sys.argv[1], interface=interface), TYPES)
transport.advertise(Topic(name="/a", type="std_msgs/msg/Bool"))
transport.subscribe(Topic(name="/a", type="std_msgs/msg/Bool"), lambda data: None)
transport.spin_once(0.3)
print(json.dumps(sorted(local_addresses())))  # noqa: T201
transport.close()
