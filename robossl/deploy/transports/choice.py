"""Opens the transport that a profile names, importing only that one."""

import importlib
from typing import Any

from robossl.core import UserError
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports.transport import Transport

_TRANSPORTS = {
    "dds": "robossl.deploy.transports.dds:DdsTransport",
    "rosbridge": "robossl.deploy.transports.rosbridge:RosbridgeTransport",
}


def open_transport(ros: RosConfig, types: RosTypes) -> Transport:
    """Connects to the robot.

    Raises:
        UserError: if what it needs is not installed, or it cannot be reached.
    """
    module, name = _TRANSPORTS[ros.transport].split(":")
    try:
        make: Any = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise UserError(f"transport {ros.transport} needs {error.name}: pip install 'robossl[ros]'") from error
    transport: Transport = make(ros, types)
    return transport
