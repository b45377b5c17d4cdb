"""A robot that speaks ROS 1: `rospy` moves the bytes, `rosbags` made them. No message package of ROS is needed.

`rospy` knows one node for each process, and it cannot be started twice: so there is one such transport in a process.
"""

import os
import threading
from collections import deque
from typing import Any

import rosgraph
import rospy

from robossl.core import UserError
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports.interfaces import address_of
from robossl.deploy.transports.ros1_types import definition, from_ros1, ros1_name, to_ros1
from robossl.deploy.transports.transport import Receive, Topic

DEPTH = 5
"""Messages that wait for `spin_once`; older ones are lost, as with a sensor's quality of service of ROS 2."""
_ASK_S = 0.5
_BUFFER_BYTES = 4 * 1024 * 1024
"""What rospy reads at once; its own default delays pictures."""


class Ros1Transport:
    """See `Transport`.

    Raises:
        UserError: if there is no master, or this process has had a node.
    """

    def __init__(self, ros: RosConfig, types: RosTypes) -> None:
        self._types = types
        self._publishers: dict[str, tuple[rospy.Publisher, type, str]] = {}
        self._subscribers: dict[str, tuple[rospy.Subscriber, Receive, str]] = {}
        self._queues: dict[str, deque[bytes]] = {}
        self._arrived = threading.Condition()
        self._closed = threading.Event()
        self._told: dict[str, int] | None = None
        _confine(ros)
        try:
            rosgraph.Master("/robossl", ros.master).getPid()
        except (OSError, rosgraph.MasterException) as error:
            raise UserError(f"no ROS 1 master at {ros.master}: {error}") from error
        try:
            rospy.init_node(ros.node or "robossl_bridge", argv=[], disable_signals=True, disable_rosout=True)
        except rospy.ROSException as error:
            raise UserError(f"no ROS 1 node could be made: {error}") from error
        threading.Thread(target=self._ask_master, name="ros1 graph", daemon=True).start()

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`."""
        queue = self._queues[topic.name] = deque(maxlen=DEPTH)

        def arrive(message: Any) -> None:
            with self._arrived:
                queue.append(message._buff)
                self._arrived.notify()

        raw = _raw_class(topic.type)
        subscriber = rospy.Subscriber(topic.name, raw, arrive, buff_size=_BUFFER_BYTES, tcp_nodelay=True)
        self._subscribers[topic.name] = (subscriber, receive, topic.type)

    def advertise(self, topic: Topic) -> None:
        """See `Transport.advertise`."""
        raw = _raw_class(topic.type)
        publisher = rospy.Publisher(topic.name, raw, queue_size=1, tcp_nodelay=True)
        self._publishers[topic.name] = (publisher, raw, topic.type)

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`."""
        publisher, raw, kind = self._publishers[topic]
        message = raw()
        message._buff = to_ros1(self._types, data, kind)  # type: ignore[attr-defined]
        publisher.publish(message)

    def spin_once(self, timeout_s: float) -> None:
        """See `Transport.spin_once`."""
        with self._arrived:
            self._arrived.wait_for(lambda: any(self._queues.values()), max(timeout_s, 0.0))
            came = [(topic, list(queue)) for topic, queue in self._queues.items()]
            for queue in self._queues.values():
                queue.clear()
        for topic, messages in came:
            _, receive, kind = self._subscribers[topic]
            for data in messages:
                receive(from_ros1(self._types, data, kind))

    def peers(self, topic: str) -> int:
        """See `Transport.peers`."""
        end = self._publishers[topic][0] if topic in self._publishers else self._subscribers[topic][0]
        return int(end.get_num_connections())

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`: as the master said a second ago at most; it does not notice who died."""
        return None if self._told is None else self._told.get(topic, 0)

    def close(self) -> None:
        """See `Transport.close`."""
        self._closed.set()
        rospy.signal_shutdown("the bridge has ended")

    def _ask_master(self) -> None:
        """Asks who speaks, again and again: the answer may take its time."""
        own, master = rospy.get_name(), rosgraph.Master("/robossl")
        while not self._closed.is_set():
            try:
                publishers, *_ = master.getSystemState()
                self._told = {topic: sum(node != own for node in nodes) for topic, nodes in publishers}
            except (OSError, ValueError, rosgraph.MasterException):
                self._told = None
            self._closed.wait(_ASK_S)


def _confine(ros: RosConfig) -> None:
    """Makes rospy name and bind the address of the one interface; by itself it binds all but for loopback."""
    address = address_of(ros.interface)
    os.environ["ROS_MASTER_URI"], os.environ["ROS_IP"] = ros.master, address
    os.environ.pop("ROS_HOSTNAME", None)
    rosgraph.network.get_bind_address = lambda *_: address


def _raw_class(kind: str) -> type:
    """Returns a message class that keeps its bytes as they are, under the type's own name and sum."""
    text, md5 = definition(kind)
    return type("Raw", (rospy.AnyMsg,), {"_type": ros1_name(kind), "_md5sum": md5, "_full_text": text})
