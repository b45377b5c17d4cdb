"""The robot's end of a latency test, in a process of its own: speaks like its sensors, and times what it is told.

Its topics begin with /robossl/latency, so that nothing else listens to them. The time of sending travels inside the
messages, in the clock of `robossl.deploy.clock` that both processes read.
"""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from robossl.core import Contract, UserError
from robossl.core.contract import CameraInput
from robossl.core.strict_json import from_json
from robossl.deploy.clock import now_s
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import MESSAGE_TYPES, CameraTopic, InputTopic, output_type
from robossl.deploy.transports import Topic
from robossl.deploy.transports.choice import open_transport

PREFIX = "/robossl/latency"
HEARD = Topic(name=f"{PREFIX}/heard", type="std_msgs/msg/Float64MultiArray")
"""(time of sending, time of receipt) of a command, in s."""
_BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "32FC1": 4, "16UC1": 2}
_SCAN_RAYS = 360


def echo(profile: RobotProfile, contract: Contract, topics: list[str], *, has_ended: Callable[[], bool]) -> None:
    """The robot's end: speaks like its sensors once a control period, and tells when commands came."""
    types = RosTypes(profile.ros.distro)
    transport = open_transport(replace(profile.ros, node="robossl_echo"), types)
    transport.advertise(HEARD)
    kind = command_topic(profile).type

    def answer(data: bytes) -> None:
        times = types.values([sent_s(types.from_bytes(data, kind)), now_s()])
        transport.publish(HEARD.name, types.to_bytes(times))

    transport.subscribe(command_topic(profile), answer)
    spoken = [(probed(source), source) for source in sources(profile, topics)]
    for topic, _ in spoken:
        transport.advertise(topic)
    next_s = now_s()
    while not has_ended():
        for topic, source in spoken:
            transport.publish(topic.name, types.to_bytes(sensor_message(types, contract, profile, source)))
        next_s += contract.period_s
        while (left_s := next_s - now_s()) > 0:
            transport.spin_once(left_s)
    transport.close()


def sources(profile: RobotProfile, topics: list[str]) -> list[InputTopic]:
    """Returns those inputs of the topics that have a time to carry: all but a stop."""
    return [source for source in profile.inputs if source.topic in topics and source.kind != "stop"]


def probed(source: InputTopic) -> Topic:
    """Returns the topic that stands for an input."""
    return Topic(name=f"{PREFIX}{source.topic}", type=MESSAGE_TYPES[source.kind])


def command_topic(profile: RobotProfile) -> Topic:
    """Returns the topic that stands for the robot's commands."""
    return Topic(name=f"{PREFIX}/command", type=output_type(profile.output))


def sent_s(message: Any) -> float:
    """Returns the time of sending that a message carries."""
    if hasattr(message, "points"):
        return float(message.points[0].positions[0])
    if hasattr(message, "header"):
        return float(message.header.stamp.sec + message.header.stamp.nanosec * 1e-9)
    return float(message.data[0]) if hasattr(message, "data") else float(message.linear.x)


def sensor_message(types: RosTypes, contract: Contract, profile: RobotProfile, source: InputTopic) -> Any:
    """Returns a message of an input's type and size that carries the time."""
    sent_at_s, message = now_s(), types.zero(MESSAGE_TYPES[source.kind])
    if source.kind == "values":
        return types.values(np.full(len(source.names), sent_at_s))
    message.header = types.header(round(sent_at_s * 1e9))
    if source.kind == "joints" and isinstance(profile.limits, ArmLimits):
        message.name = [joint.name for joint in profile.limits.joints]
        message.position = message.velocity = np.zeros(len(message.name))
    if source.kind == "scan":
        message.ranges = np.zeros(_SCAN_RAYS, np.float32)
    if isinstance(source, CameraTopic):
        shapes = {spec.sensor: spec.shape[1:3] for spec in contract.inputs if isinstance(spec, CameraInput)}
        message.height, message.width = shapes[source.sensor]
        message.encoding, message.step = source.encoding, message.width * _BYTES[source.encoding]
        message.data = np.zeros(message.height * message.step, np.uint8)
    return message


def main() -> None:
    """Runs the echo as its standard input says, until that ends."""
    told, ended = json.loads(sys.stdin.readline()), threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    profile = from_json(RobotProfile, told["profile"], file="profile")
    contract = from_json(Contract, told["contract"], file="contract")
    try:
        echo(profile, contract, told["topics"], has_ended=ended.is_set)
    except UserError as error:
        sys.exit(f"robossl: {error}")


if __name__ == "__main__":
    main()
