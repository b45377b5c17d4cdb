"""What the bridge needs of a middleware. Messages travel as little-endian CDR, the wire format of ROS 2."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Receive: TypeAlias = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic with its type, e.g. /joint_states and sensor_msgs/msg/JointState.

    Attributes:
        sure: no message may be missed, not even the last one from before we listened, as far as who speaks offers
            that: a stop. It may then come more than once.
    """

    name: str
    type: str
    sure: bool = False


class Transport(Protocol):
    """One connection. Nothing runs in the background that calls back: messages are handed over in `spin_once`."""

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """Listens, with the least demands on who speaks: best effort, the last few messages; see `Topic.sure`."""

    def advertise(self, topic: Topic) -> None:
        """Prepares to speak: reliably, the last message only."""

    def publish(self, topic: str, data: bytes) -> None:
        """Sends one message of a topic that was advertised."""

    def spin_once(self, timeout_s: float) -> None:
        """Waits for messages, at most so long, and hands over those that are there."""

    def peers(self, topic: str) -> int:
        """Returns how many others speak (where we listen) or listen (where we speak)."""

    def speakers(self, topic: str) -> int | None:
        """Returns how many others speak on a topic, whether or not we do; None where the middleware does not tell."""

    def close(self) -> None:
        """Leaves."""
