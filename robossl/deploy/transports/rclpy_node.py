"""A node of a ROS 2 that is installed beside the bridge: `rclpy` moves the bytes, by whatever middleware it is set to.

Where the profile names the loopback interface, the node is kept on this machine, or refused where its middleware cannot
be. Of another interface alone it hears, too; on which ones it speaks is the business of the middleware's own settings.
"""

import os
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rosidl_runtime_py.utilities import get_message

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # until Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from robossl.core import UserError
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports.interfaces import address_of, confined
from robossl.deploy.transports.transport import Receive, Topic

DEPTH = 5
_KEPT_LOCAL = ("rmw_cyclonedds_cpp", "rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")
"""Middlewares that stay on this machine when they are told so."""
_QUIET = SubscriptionEventCallbacks(use_default_callbacks=False)
"""Else rclpy says of a stop that nothing of it will be received, where one of three subscriptions does not match."""
_MOST_MESSAGES = 64
"""Handed over at once, so that a flood does not keep the bridge from deciding."""


class RclpyTransport:
    """See `Transport`.

    Raises:
        UserError: if the middleware cannot do what the profile asks for, or its domain cannot be joined.
    """

    def __init__(self, ros: RosConfig, types: RosTypes) -> None:
        self._context = rclpy.Context()
        try:
            _confine(ros)
            with confined(ros.interface):
                rclpy.init(args=[], context=self._context, domain_id=ros.domain_id)
                self._node = rclpy.create_node(
                    ros.node or "robossl_bridge",
                    context=self._context,
                    use_global_arguments=False,
                    enable_rosout=False,
                    start_parameter_services=False,
                )
        except RuntimeError as error:  # of the C library; one line is ours, its own stand above
            self._context.try_shutdown()
            raise UserError(f"no ROS 2 node could be made: {str(error).splitlines()[0]}") from error
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._publishers: dict[str, Any] = {}
        self._num_heard = 0

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`."""
        wishes = [_qos(QoSReliabilityPolicy.BEST_EFFORT, DEPTH)]
        if topic.sure:  # who only speaks best effort is not heard by a subscription that asks for more
            durabilities = (QoSDurabilityPolicy.VOLATILE, QoSDurabilityPolicy.TRANSIENT_LOCAL)
            wishes += [_qos(QoSReliabilityPolicy.RELIABLE, DEPTH, durability) for durability in durabilities]
        for qos in wishes:
            self._node.create_subscription(
                _class(topic), topic.name, self._counted(receive), qos, event_callbacks=_QUIET, raw=True
            )

    def advertise(self, topic: Topic) -> None:
        """See `Transport.advertise`."""
        qos = _qos(QoSReliabilityPolicy.RELIABLE, 1)
        self._publishers[topic.name] = self._node.create_publisher(_class(topic), topic.name, qos)

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`."""
        self._publishers[topic].publish(data)

    def spin_once(self, timeout_s: float) -> None:
        """See `Transport.spin_once`; rclpy's executor hands over one message at a time."""
        for _ in range(_MOST_MESSAGES):
            heard = self._num_heard
            self._executor.spin_once(timeout_sec=max(timeout_s, 0.0))
            if heard == self._num_heard:
                return
            timeout_s = 0.0

    def peers(self, topic: str) -> int:
        """See `Transport.peers`."""
        if topic in self._publishers:
            return int(self._publishers[topic].get_subscription_count())
        return int(self._node.count_publishers(topic))

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`."""
        others = int(self._node.count_publishers(topic)) - (topic in self._publishers)
        return max(others, 0)  # discovery has not told of our own one yet

    def close(self) -> None:
        """See `Transport.close`."""
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def _counted(self, receive: Receive) -> Callable[[bytes], None]:
        def count(data: bytes) -> None:
            self._num_heard += 1
            receive(data)

        return count


def _confine(ros: RosConfig) -> None:
    """Has the middleware do what it can to use the profile's interface alone; refuses what it cannot."""
    if ros.peers:
        raise UserError("peers are for transport dds: tell them to ROS 2 by the settings of its middleware")
    address_of(ros.interface)
    if ros.interface != "lo":
        return
    middleware = rclpy.get_rmw_implementation_identifier()
    if middleware not in _KEPT_LOCAL:
        raise UserError(f"{middleware} is not known to stay on interface lo: name the robot's interface")
    os.environ["ROS_LOCALHOST_ONLY"] = "1"  # until Humble
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"  # since Iron


def _qos(
    reliability: QoSReliabilityPolicy,
    depth: int,
    durability: QoSDurabilityPolicy = QoSDurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        reliability=reliability,
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
        durability=durability,
    )


def _class(topic: Topic) -> Any:
    try:
        return get_message(topic.type)
    except (AttributeError, ModuleNotFoundError, ValueError) as error:
        raise UserError(f"{topic.name}: this ROS 2 has no type {topic.type}: {error}") from error
