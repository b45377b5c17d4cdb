"""A participant that sends spoilt messages on /joint_states, and datagrams that are no RTPS, then one honest message.

usage: hostile_dds.py DOMAIN_ID NUM_MESSAGES NUM_DATAGRAMS
"""

import contextlib
import socket
import sys
import time
from pathlib import Path

import numpy as np
from cyclonedds.core import DDSException
from numpy.random import Generator

sys.path.insert(0, str(Path(__file__).parents[1]))

from deploy_robots import TYPES, joint_state
from fuzz_codecs import spoilt

from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.dds import DdsTransport

HONEST_NS = 7_000_000_000
SUBMESSAGES = (0x01, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0E, 0x0F, 0x13, 0x15, 0x16)  # RTPS 2.5, table 8.13


def main(domain_id: int, num_messages: int, num_datagrams: int) -> None:
    rng, topic = np.random.default_rng(0), Topic(name="/joint_states", type="sensor_msgs/msg/JointState")
    transport = DdsTransport(RosConfig(domain_id=domain_id), TYPES)
    transport.advertise(topic)
    while not transport.peers(topic.name):
        time.sleep(0.02)
    data = TYPES.to_bytes(joint_state(5, (0.1, 0.2)))
    for _ in range(num_messages):
        with contextlib.suppress(DDSException):  # some are so bad that our own side does not send them
            transport.publish(topic.name, spoilt(data, (), rng))
    ports = [7400 + 250 * domain_id + offset for offset in (10, 11, 12, 13)]  # RTPS 2.5, 9.6.2.4
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(num_datagrams):
            for port in ports:
                sender.sendto(garbage(rng), ("127.0.0.1", port))
    for _ in range(20):
        transport.publish(topic.name, TYPES.to_bytes(joint_state(HONEST_NS, (0.5, 0.6))))
        time.sleep(0.05)
    transport.close()


def garbage(rng: Generator) -> bytes:
    """Returns an RTPS header with random submessages, whose lengths are mostly true."""
    parts = [b"RTPS\x02\x05\x01\x10", rng.bytes(12)]
    for _ in range(int(rng.integers(1, 5))):
        content = rng.bytes(int(rng.integers(0, 120)))
        length = len(content) if rng.random() < 0.8 else int(rng.integers(65536))
        parts.append(bytes([int(rng.choice(SUBMESSAGES)), int(rng.integers(16))]) + length.to_bytes(2, "little"))
        parts.append(content)
    return b"".join(parts)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
