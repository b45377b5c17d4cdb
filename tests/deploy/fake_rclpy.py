"""A fake of the few parts of rclpy that the transport uses, for what a real one (test_ros2.py) never does to order."""

import sys
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Policy(Enum):
    """What the transport names of rclpy's qualities of service."""

    BEST_EFFORT = 0
    RELIABLE = 1
    KEEP_LAST = 2
    VOLATILE = 3
    TRANSIENT_LOCAL = 4


class Node:
    """Keeps subscriptions; whoever they are of never falls silent. Discovery tells of no publisher."""

    def __init__(self) -> None:
        self.receivers: list[Any] = []

    def create_subscription(self, kind: Any, topic: str, receive: Any, qos: SimpleNamespace, **_: Any) -> None:
        self.receivers.append(receive)

    def create_publisher(self, kind: Any, topic: str, qos: SimpleNamespace) -> None:
        pass

    def count_publishers(self, topic: str) -> int:
        return 0


class Executor:
    """Hands over one message at a time, without end."""

    def __init__(self, **_: Any) -> None:
        self.nodes: list[Node] = []

    def add_node(self, node: Node) -> None:
        self.nodes.append(node)

    def spin_once(self, *, timeout_sec: float) -> None:
        self.nodes[0].receivers[0](b"\x00\x01\x00\x00\x01")


def install(monkeypatch: pytest.MonkeyPatch, *, middleware: str = "rmw_cyclonedds_cpp") -> None:
    """Makes the fake importable."""
    parts = {
        "rclpy": {
            "Context": lambda: SimpleNamespace(),
            "init": lambda **_: None,
            "create_node": lambda *_, **__: Node(),
            "get_rmw_implementation_identifier": lambda: middleware,
        },
        "rclpy.event_handler": {"SubscriptionEventCallbacks": SimpleNamespace},
        "rclpy.executors": {"SingleThreadedExecutor": Executor},
        "rclpy.qos": {
            **dict.fromkeys(("QoSDurabilityPolicy", "QoSHistoryPolicy", "QoSReliabilityPolicy"), Policy),
            "QoSProfile": SimpleNamespace,
        },
        "rosidl_runtime_py": {},
        "rosidl_runtime_py.utilities": {"get_message": lambda kind: kind},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    module_name = "robossl.deploy.transports.rclpy_node"
    monkeypatch.setitem(sys.modules, module_name, None)  # so that a later test does not find the one that has the fake
    monkeypatch.delitem(sys.modules, module_name)
    for name in ("ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE"):  # which the transport sets
        monkeypatch.setenv(name, "")
