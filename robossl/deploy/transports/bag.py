"""A bag instead of a robot: what was heard once is heard again, in the bag's own time, which `spin_once` passes."""

from pathlib import Path

from robossl.core import UserError
from robossl.deploy.bag_file import read_bag
from robossl.deploy.transports.transport import Receive, Topic


class BagTransport:
    """See `Transport`, and `Clock`: time begins with the first message. Nothing can be said to a bag.

    Attributes:
        seconds: from the first message to the last.
        lost: what of the bag could not be read; None where it is whole.

    Raises:
        UserError: if it cannot be read, or holds nothing.
    """

    def __init__(self, path: Path) -> None:
        bag = read_bag(path)
        if not bag.messages:
            raise UserError(f"{path} holds no messages")
        self._path, self._types, self._messages = path, bag.types, bag.messages
        self._begun_ns = bag.messages[0][1]
        self._t_ns = self._num_heard = 0
        self._receivers: dict[str, Receive] = {}
        self.seconds = (bag.messages[-1][1] - self._begun_ns) / 1e9
        self.lost = bag.lost

    def now_ns(self) -> int:
        """See `Clock.now_ns`."""
        return self._t_ns

    def wall_ns(self) -> int:
        """See `Clock.wall_ns`: the time of day when it was recorded."""
        return self._begun_ns + self._t_ns

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`.

        Raises:
            UserError: if the bag has the topic with another type.
        """
        found = self._types.get(topic.name, topic.type)
        if found != topic.type:
            raise UserError(f"{topic.name} in {self._path} is a {found}; the profile says {topic.type}")
        self._receivers[topic.name] = receive

    def advertise(self, topic: Topic) -> None:
        """Refuses.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self._path} is a bag: nothing can be said to it on {topic.name}")

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`: there is no topic that was advertised."""
        raise KeyError(topic)

    def spin_once(self, timeout_s: float) -> None:
        """Hands over what comes within that time, each message at its own, and lets the time pass."""
        until_ns = self._t_ns + round(timeout_s * 1e9)
        while self._num_heard < len(self._messages):
            topic, time_ns, data = self._messages[self._num_heard]
            if time_ns - self._begun_ns > until_ns:
                break
            self._num_heard += 1
            self._t_ns = time_ns - self._begun_ns
            if topic in self._receivers:
                self._receivers[topic](data)
        self._t_ns = until_ns

    def peers(self, topic: str) -> int:
        """See `Transport.peers`."""
        return int(topic in self._types)

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`."""
        return self.peers(topic)

    def close(self) -> None:
        """See `Transport.close`."""
