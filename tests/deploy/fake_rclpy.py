"""A fake of the few parts of rclpy that the transport uses: no ROS 2 is at hand. The real one was never tried."""

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
    """Keeps subscriptions; whoever they are of never falls silent."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.subscriptions: list[tuple[str, Any, SimpleNamespace]] = []

    def create_subscription(self, kind: Any, topic: str, receive: Any, qos: SimpleNamespace, *, raw: bool) -> None:
        self.subscriptions.append((topic, receive, qos))

    def create_publisher(self, kind: Any, topic: str, qos: SimpleNamespace) -> None:
        self.published.append(topic)

    def count_publishers(self, topic: str) -> int:
        """Counts the node's own ones, too, as rclpy does."""
        return 1 + self.published.count(topic)


class Executor:
    """Hands over one message at a time, without end."""

    def __init__(self, **_: Any) -> None:
        self.nodes: list[Node] = []

    def add_node(self, node: Node) -> None:
        self.nodes.append(node)

    def spin_once(self, *, timeout_sec: float) -> None:
        self.nodes[0].subscriptions[0][1](b"\x00\x01\x00\x00\x01")


def install(monkeypatch: pytest.MonkeyPatch) -> Node:
    """Makes the fake importable; returns the node that the transport will have."""
    node = Node()
    parts = {
        "rclpy": {
            "Context": lambda: SimpleNamespace(),
            "init": lambda **_: None,
            "create_node": lambda *_, **__: node,
        },
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
    monkeypatch.delitem(sys.modules, "robossl.deploy.transports.rclpy_node", raising=False)
    return node
