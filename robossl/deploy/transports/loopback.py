"""A network inside one process, for tests and rehearsals without sockets."""

import time
from collections import deque
from collections.abc import Callable

from robossl.deploy.transports.transport import Receive, Topic

DEPTH = 5
"""Messages that a listener keeps; older ones are lost, as with a sensor's quality of service."""


class LoopbackNetwork:
    """What loopback transports share.

    Args:
        sleep: how time passes where nobody speaks.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self.members: list[LoopbackTransport] = []
        self.sleep = sleep


class LoopbackTransport:
    """See `Transport`; types must be equal for a message to arrive."""

    def __init__(self, network: LoopbackNetwork) -> None:
        self._network = network
        self._receivers: dict[str, tuple[str, Receive, deque[bytes]]] = {}
        self._advertised: dict[str, str] = {}
        network.members.append(self)

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`."""
        self._receivers[topic.name] = (topic.type, receive, deque(maxlen=DEPTH))

    def advertise(self, topic: Topic) -> None:
        """See `Transport.advertise`."""
        self._advertised[topic.name] = topic.type

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`."""
        kind = self._advertised[topic]
        for member in self._network.members:
            if member is not self and topic in member._receivers and member._receivers[topic][0] == kind:
                member._receivers[topic][2].append(data)

    def spin_once(self, timeout_s: float) -> None:
        """See `Transport.spin_once`."""
        if not any(queue for _, _, queue in self._receivers.values()):
            self._network.sleep(timeout_s)
        for _, receive, queue in self._receivers.values():
            while queue:
                receive(queue.popleft())

    def peers(self, topic: str) -> int:
        """See `Transport.peers`."""
        others = [member for member in self._network.members if member is not self]
        if topic in self._advertised:
            return sum(topic in member._receivers for member in others)
        return sum(topic in member._advertised for member in others)

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`."""
        return sum(topic in member._advertised for member in self._network.members if member is not self)

    def close(self) -> None:
        """See `Transport.close`."""
        self._network.members.remove(self)
