"""ROS 1's bytes and those of the bridge: `rosbags` turns one into the other without reading the message.

ROS 2's definitions of the types that the bridge uses hold the same fields as ROS 1's; a header's `seq` is left out.
"""

from functools import lru_cache

from rosbags.typesys import Stores, get_typestore

from robossl.deploy.ros_types import MAX_BYTES, RosTypes


@lru_cache(maxsize=64)
def definition(kind: str) -> tuple[str, str]:
    """Returns the text of a type's definition in ROS 1 and its MD5 sum, by which nodes agree on it.

    Args:
        kind: e.g. sensor_msgs/msg/JointState.
    """
    return get_typestore(Stores.ROS1_NOETIC).generate_msgdef(kind)


def ros1_name(kind: str) -> str:
    """Returns what ROS 1 calls a type."""
    return kind.replace("/msg/", "/")


def from_ros1(types: RosTypes, data: bytes, kind: str) -> bytes:
    """Returns a message as CDR; no bytes at all where these are none, which whoever reads them refuses by name."""
    if len(data) > MAX_BYTES:
        return b""
    try:
        return bytes(types.store.ros1_to_cdr(data, kind))
    except Exception:  # whatever hostile bytes make the codec raise
        return b""


def to_ros1(types: RosTypes, data: bytes, kind: str) -> bytes:
    """Returns a CDR message of our own as ROS 1 has it."""
    return bytes(types.store.cdr_to_ros1(data, kind))
