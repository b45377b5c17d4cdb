"""Opens the transport that a profile names, importing only that one."""

import importlib
from typing import Any

from robossl.core import UserError
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports.transport import Transport

_PIP = "pip install 'robossl[ros]'"
_TRANSPORTS = {
    "dds": ("robossl.deploy.transports.dds:DdsTransport", _PIP),
    "rosbridge": ("robossl.deploy.transports.rosbridge:RosbridgeTransport", _PIP),
    "rclpy": (
        "robossl.deploy.transports.rclpy_node:RclpyTransport",
        "source the setup.bash of a ROS 2 for this Python",
    ),
    "ros1": ("robossl.deploy.transports.ros1:Ros1Transport", "packaging/install-middleware.sh shows how, on Debian"),
}
"""Where each is, and how what it needs is installed."""


def open_transport(ros: RosConfig, types: RosTypes) -> Transport:
    """Connects to the robot.

    Raises:
        UserError: if what it needs is not installed, or it cannot be reached.
    """
    place, remedy = _TRANSPORTS[ros.transport]
    module, name = place.split(":")
    try:
        make: Any = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise UserError(f"transport {ros.transport} needs {error.name}: {remedy}") from error
    transport: Transport = make(ros, types)
    return transport
