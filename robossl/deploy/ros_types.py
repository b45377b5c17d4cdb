"""ROS messages without ROS: `rosbags` has the definitions of every distribution and one codec for all transports."""

from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_typestore

from robossl.deploy.trips import RefusedMessageError, Trip

MAX_BYTES = 64 * 1024 * 1024
"""A larger message is refused unread."""
_STORES = {
    "humble": Stores.ROS2_HUMBLE,
    "iron": Stores.ROS2_IRON,
    "jazzy": Stores.ROS2_JAZZY,
    "kilted": Stores.ROS2_KILTED,
}


class RosTypes:
    """Makes, writes and reads the messages of one distribution."""

    def __init__(self, distro: str) -> None:
        self.store = get_typestore(_STORES[distro])

    def make(self, kind: str, **fields: Any) -> Any:
        """Makes a message of a type; arrays of numbers are numpy arrays."""
        return self.store.types[kind](**fields)

    def zero(self, kind: str) -> Any:
        """Makes a message of a type whose numbers are zero, and whose texts and sequences are empty."""
        return self.make(kind, **{name: self._zero(node) for name, node in self.store.fielddefs[kind][1]})

    def header(self, stamp_ns: int, frame: str = "") -> Any:
        """Makes a `std_msgs/Header`."""
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        stamp = self.make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id=frame)

    def values(self, numbers: Any) -> Any:
        """Makes a `std_msgs/Float64MultiArray` without layout."""
        layout = self.make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
        return self.make("std_msgs/msg/Float64MultiArray", layout=layout, data=np.asarray(numbers, np.float64))

    def type_of(self, message: Any) -> str:
        """Returns a message's type, e.g. std_msgs/msg/Bool."""
        return str(message.__msgtype__)

    def to_bytes(self, message: Any) -> bytes:
        """Returns a message as little-endian CDR with its encapsulation header."""
        return bytes(self.store.serialize_cdr(message, message.__msgtype__))

    def from_bytes(self, data: bytes, kind: str) -> Any:
        """Reads a message.

        Raises:
            RefusedMessageError: if the bytes are not one.
        """
        if not 4 <= len(data) <= MAX_BYTES or data[:2] not in (b"\x00\x00", b"\x00\x01"):
            raise RefusedMessageError(Trip.MALFORMED_INPUT, f"{len(data)} bytes are not a {kind}")
        try:
            return self.store.deserialize_cdr(data, kind)
        except Exception as error:  # whatever hostile bytes make the codec raise
            raise RefusedMessageError(Trip.MALFORMED_INPUT, f"not a {kind}: {type(error).__name__}") from error

    def rihs(self, kind: str) -> str:
        """Returns the type's hash by REP 2011."""
        return self.store.hash_rihs01(kind)

    def _zero(self, node: Any) -> Any:
        nodetype, content = node
        if nodetype is Nodetype.NAME:
            return self.zero(content)
        if nodetype is Nodetype.BASE:
            return "" if content[0] == "string" else np.zeros((), content[0]).item()
        (inner, name), size = content if nodetype is Nodetype.ARRAY else (content[0], 0)
        is_numeric = inner is Nodetype.BASE and name[0] != "string"
        return np.zeros(size, name[0]) if is_numeric else [self._zero((inner, name)) for _ in range(size)]
