"""How a message travels to the bridge, for each codec that a transport has, and what can be done to it on the way.

DDS and rclpy carry CDR as it is; rosbridge wraps it in CBOR; ROS 1 has a format of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cbor2
from deploy_robots import TYPES
from numpy.random import Generator

from robossl.deploy.transports.ros1_types import from_ros1, to_ros1
from robossl.deploy.transports.rosbridge import read_frame

HUGE = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x00\x00\x00\x00", b"\x00\x00\xf8\x7f")
"""Lengths and numbers that a decoder may believe, in the order of bytes that CDR and ROS 1 have."""
CBOR_HEADS = (
    b"\x5b" + b"\x7f" * 8,  # a byte string of 2^62 bytes
    b"\x9b\x00\x00\x00\x40\x00\x00\x00\x00",  # an array of 2^38 items
    b"\xbb" + b"\x0f" * 8,  # as large a map
    b"\x81" * 3000,  # nested
    b"\xc5\x82\x1b" + b"\x7f" * 8 + b"\x03",  # 3 * 2^(2^62)
    b"\xc4\x82\x1b" + b"\x7f" * 8 + b"\x03",  # 3 * 10^(2^62)
    b"\xd8\x23\x65((((a",  # a broken regular expression
    b"\xd8\x1e\x82\x01\x00",  # 1 / 0
    b"\xc1\xfb\x7f\xf0" + b"\x00" * 6,  # a date at infinity
    b"\xd8\x1d\x19\xff\xff",  # a reference to nothing
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One way on the wire.

    Attributes:
        pack: (topic, type, CDR) -> what is on the wire.
        unpack: (topic, type, what is on the wire) -> CDR for the bridge; None where nothing is handed over.
        wraps: `pack` takes any bytes, not CDR only.
        heads: beginnings that are hostile in this format.
    """

    pack: Callable[[str, str, bytes], bytes]
    unpack: Callable[[str, str, bytes], bytes | None]
    wraps: bool = False
    heads: tuple[bytes, ...] = ()


def _frame(topic: str, _: str, data: bytes) -> bytes:
    return cbor2.dumps({"op": "publish", "topic": topic, "msg": {"secs": 1, "nsecs": 2, "bytes": data}})


def _unframe(topic: str, _: str, data: bytes) -> bytes | None:
    found = read_frame(data)
    return found[1] if found is not None and found[0] == topic else None


CODECS = {
    "cdr": Codec(pack=lambda _, kind, data: data, unpack=lambda _, kind, data: data),
    "rosbridge": Codec(pack=_frame, unpack=_unframe, wraps=True, heads=CBOR_HEADS),
    "ros1": Codec(
        pack=lambda _, kind, data: to_ros1(TYPES, data, kind), unpack=lambda _, kind, data: from_ros1(TYPES, data, kind)
    ),
}


def spoilt(data: bytes, heads: tuple[bytes, ...], rng: Generator) -> bytes:
    """Returns bytes that no honest sender would send: cut, changed, with huge lengths, repeated, or at random."""
    kind = int(rng.integers(7))
    at = int(rng.integers(max(len(data), 1)))
    if kind == 0:
        return data[:at]
    if kind == 1:
        changed = bytearray(data)
        for i in rng.integers(0, len(data), 8):
            changed[i] = rng.integers(256)
        return bytes(changed)
    if kind == 2:
        at -= at % 4
        return data[:at] + HUGE[rng.integers(len(HUGE))] + data[at + 4 :]
    if kind == 3:
        return data + data[at:]
    if kind == 4:
        return bytes(rng.bytes(int(rng.integers(0, 400))))
    if kind == 5:
        return data[:4] + bytes(rng.bytes(int(rng.integers(0, 400))))
    head = heads[rng.integers(len(heads))] if heads else data[:4]
    return head + data[at:]
