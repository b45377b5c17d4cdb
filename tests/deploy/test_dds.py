import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import make_idl_struct
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.topic import Topic as DdsTopic
from cyclonedds.util import duration
from deploy_robots import SAFETY, TYPES, arm_profile, base, base_profile, image, joint_state, odometry, scan
from rosbags.rosbag2 import Reader
from toy_bundle import write_toy_bundle

from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.encoder import CommandEncoder
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import OdometryInput
from robossl.deploy.transports import Topic, dds_graph
from robossl.deploy.transports.dds import DEPTH, DdsTransport, configuration
from robossl.deploy.transports.dds_graph import announcement
from robossl.deploy.transports.dds_types import dds_name, fields, raw_message, raw_type
from robossl.deploy.trips import RefusedMessageError

DOMAIN_ID = 100 + os.getpid() % 100
"""Of this test process: another run on the same machine must not be heard."""


@pytest.fixture
def transport() -> Iterator[DdsTransport]:
    found = DdsTransport(RosConfig(domain_id=DOMAIN_ID), TYPES)
    yield found
    found.close()


def everything() -> list[object]:
    """One message of every type that travels."""
    sent = [
        joint_state(1_500_000_000, (0.1, -0.2), (0.3, 0.4)),
        image(7, np.arange(72, dtype=np.uint8).reshape(4, 6, 3), padding=2),
        odometry(3, 0.5, -0.25, yaw=0.3),
        scan(9, np.array([1.0, np.inf, np.nan, 0.5])),
        TYPES.values([1.0, -2.0]),
        TYPES.make("std_msgs/msg/Bool", data=True),
        CommandEncoder(arm_profile(), TYPES, period_s=0.02).encode(np.array([0.1, 0.2]), 5),
        CommandEncoder(base_profile(), TYPES, period_s=0.02).encode(np.array([0.1, 0.2]), 5_000_000_001),
    ]
    return sent


@pytest.mark.parametrize("message", everything(), ids=lambda message: message.__msgtype__)
def test_bytes_are_those_of_an_independent_serialiser(message: object) -> None:
    """Cyclone's own Python serialiser, on a type made from the same definition, writes the same bytes."""
    independent = cyclone_message(message)
    assert bytes(independent.serialize()) == TYPES.to_bytes(message)


def cyclone_message(message: object) -> object:
    """Returns a message as Cyclone's own type, with its own serialiser."""
    kind = TYPES.type_of(message)
    made = make_idl_struct(kind.rsplit("/", 1)[1], dds_name(kind), fields(TYPES.store, kind))
    return fill(made, message)


def fill(made: type, message: object) -> object:
    values = {}
    for name, annotation in made.__annotations__.items():
        value = getattr(message, name)
        if hasattr(value, "__msgtype__"):
            value = fill(annotation, value)
        elif isinstance(value, np.ndarray):
            value = value.tolist()
        elif isinstance(value, list) and value and hasattr(value[0], "__msgtype__"):
            inner = annotation.__metadata__[0].subtype
            value = [fill(inner, item) for item in value]
        values[name] = value
    return made(**values)


def test_names_in_dds_are_those_of_ros() -> None:
    assert dds_name("sensor_msgs/msg/JointState") == "sensor_msgs::msg::dds_::JointState_"
    assert raw_type(TYPES.store, "std_msgs/msg/Bool").__idl_typename__ == "std_msgs::msg::dds_::Bool_"  # type: ignore[attr-defined]


def test_type_hashes_are_those_that_ros_prints() -> None:
    known = (
        "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e"  # `ros2 topic info -v`, JointState
    )
    assert RosTypes("jazzy").rihs("sensor_msgs/msg/JointState") == known


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x00", b"\x00\x01\x00\x00", b"\x00\x01\x00\x00" + b"\xff" * 64, b"\x00\x03\x00\x00" * 9]
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(RefusedMessageError):
        TYPES.from_bytes(data, "sensor_msgs/msg/JointState")


def test_only_the_named_interface_and_peers_are_used() -> None:
    assert '<NetworkInterface name="lo" multicast="false"/>' in configuration(RosConfig())
    assert '<Peers><Peer address="127.0.0.1"/></Peers>' in configuration(RosConfig())
    remote = configuration(RosConfig(interface="eth0", peers=("10.0.0.2", "10.0.0.3")))
    assert '<Peer address="10.0.0.2"/><Peer address="10.0.0.3"/>' in remote
    assert "<AllowMulticast>false</AllowMulticast>" in remote


@pytest.mark.parametrize(("distro", "length"), [("humble", 24), ("jazzy", 16)])
def test_a_participant_announces_itself_as_a_node(distro: str, length: int) -> None:
    types, ids = RosTypes(distro), [UUID(int=i) for i in (1, 2, 3)]
    message = announcement(types, ids[0], node="robossl_bridge", readers=ids[1:2], writers=ids[2:])
    back = types.from_bytes(types.to_bytes(message), dds_graph.TYPE)
    assert bytes(back.gid.data) == ids[0].bytes.ljust(length, b"\0")
    (node,) = back.node_entities_info_seq
    assert (node.node_namespace, node.node_name) == ("/", "robossl_bridge")
    assert bytes(node.reader_gid_seq[0].data)[:16] == ids[1].bytes
    assert bytes(node.writer_gid_seq[0].data)[:16] == ids[2].bytes


def test_a_named_node_can_speak_and_listen() -> None:
    transport = DdsTransport(RosConfig(domain_id=DOMAIN_ID + 30, node="robossl_bridge"), TYPES)
    topic, got = Topic(name="/stop", type="std_msgs/msg/Bool"), list[bytes]()
    transport.advertise(topic)
    transport.subscribe(topic, got.append)
    transport.publish("/stop", TYPES.to_bytes(TYPES.make("std_msgs/msg/Bool", data=True)))
    transport.spin_once(1.0)
    transport.close()
    assert TYPES.from_bytes(got[0], topic.type).data is True


def test_messages_arrive_whole_and_a_flood_is_bounded(transport: DdsTransport) -> None:
    topic, got = Topic(name="/image", type="sensor_msgs/msg/Image"), list[bytes]()
    transport.advertise(topic)
    other = Topic(name="/echo", type="sensor_msgs/msg/Image")
    transport.advertise(other)
    assert transport.peers("/image") == 0
    data = TYPES.to_bytes(image(1, np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)))
    transport.subscribe(topic, got.append)
    for _ in range(3 * DEPTH):
        transport.publish("/image", data)
    transport.spin_once(1.0)
    assert 1 <= len(got) <= DEPTH
    assert got[0][: len(data)] == data
    assert transport.peers("/image") == 1


@pytest.mark.parametrize(
    "offer",
    [
        (Policy.Reliability.BestEffort, Policy.Durability.Volatile),
        (Policy.Reliability.Reliable(duration(seconds=1)), Policy.Durability.Volatile),
        (Policy.Reliability.Reliable(duration(seconds=1)), Policy.Durability.TransientLocal),
    ],
)
@pytest.mark.parametrize("sure", [False, True])
def test_a_stop_is_heard_from_whoever_speaks(transport: DdsTransport, offer: tuple[Any, ...], sure: bool) -> None:
    topic, got = Topic(name="/stop", type="std_msgs/msg/Bool", sure=sure), list[bytes]()
    participant, raw = DomainParticipant(DOMAIN_ID), raw_type(TYPES.store, topic.type)
    qos = Qos(*offer, Policy.History.KeepLast(1), Policy.DataRepresentation(use_cdrv0_representation=True))
    writer = DataWriter(participant, DdsTopic(participant, "rt/stop", raw), qos)
    before, after = (TYPES.to_bytes(TYPES.make(topic.type, data=pressed)) for pressed in (True, False))
    writer.write(raw_message(raw, before))
    transport.subscribe(topic, got.append)
    for _ in range(20):
        transport.spin_once(0.02)
    writer.write(raw_message(raw, after))
    while not got or got[-1][:5] != after:
        transport.spin_once(0.5)
    assert (got[0][:5] == before) == (sure and offer[1] is Policy.Durability.TransientLocal)


READER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from deploy_robots import TYPES
from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.choice import open_transport
from robossl.deploy.trips import RefusedMessageError
transport, refused, stamps = open_transport(RosConfig(transport=sys.argv[2], domain_id=int(sys.argv[3])), TYPES), [], []
def receive(data):
    try:
        stamps.append(TYPES.from_bytes(data, "sensor_msgs/msg/JointState").header.stamp.sec)
    except RefusedMessageError as error:
        refused.append(error.trip.value)
transport.subscribe(Topic(name="/joint_states", type="sensor_msgs/msg/JointState"), receive)
deadline = time.monotonic() + 40
while 7 not in stamps[-3:] and time.monotonic() < deadline:
    transport.spin_once(0.1)
transport.close()
print(len(refused), set(refused), stamps[-1])
"""


def test_spoilt_messages_and_datagrams_that_are_no_rtps_are_survived() -> None:
    require_survived("dds", DOMAIN_ID + 2)


def require_survived(transport: str, domain_id: int) -> None:
    """Has a reader in a process of its own hear peers/hostile_dds.py: what it must survive reaches native code."""
    words = [sys.executable, "-c", READER, str(Path(__file__).parent), transport, str(domain_id)]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    hostile = str(Path(__file__).parent / "peers" / "hostile_dds.py")
    subprocess.run([sys.executable, hostile, str(domain_id), "300", "500"], check=True, capture_output=True, timeout=60)
    said, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    count, kind, stamp = said.split()
    assert int(count) >= 1
    assert (kind, stamp) == ("{'malformed_input'}", "7")


SPEAKER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_dds import TYPES, DdsTransport, RosConfig, Topic
other = DdsTransport(RosConfig(domain_id=int(sys.argv[2])), TYPES)
other.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/Twist"))
print("speaks", flush=True)
time.sleep(30)
"""


def test_who_else_speaks_is_known_of_any_type_and_forgotten_when_it_is_killed() -> None:
    transport = DdsTransport(RosConfig(domain_id=DOMAIN_ID + 3), TYPES)
    transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/TwistStamped"))
    assert transport.speakers("/cmd_vel") == 0

    def wait(number: int) -> None:
        deadline = time.monotonic() + 20.0
        while transport.speakers("/cmd_vel") != number and time.monotonic() < deadline:
            time.sleep(0.05)
        assert transport.speakers("/cmd_vel") == number

    words = [sys.executable, "-c", SPEAKER, str(Path(__file__).parent), str(DOMAIN_ID + 3)]
    other = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    other.stdout.readline()
    wait(1)
    assert transport.speakers("/odom") == 0
    other.kill()
    other.wait()
    wait(0)
    transport.close()


LATE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_dds import *
from cyclonedds.domain import Domain
settings = configuration(RosConfig()).replace('<Peers><Peer address="127.0.0.1"/>', '<Peers AddLocalhost="false">')
domain, participant = Domain(int(sys.argv[2]), settings), DomainParticipant(int(sys.argv[2]))
writer = DataWriter(participant, DdsTopic(participant, "rt/stop", raw_type(TYPES.store, "std_msgs/msg/Bool")))
time.sleep(60)
"""


def test_who_starts_after_the_bridge_and_looks_for_nobody_is_found() -> None:
    """As ROS 2's nodes do, which announce themselves by multicast alone."""
    transport = DdsTransport(RosConfig(domain_id=DOMAIN_ID + 4), TYPES)
    time.sleep(1.0)  # those that are there at the start have been looked for
    late = subprocess.Popen([sys.executable, "-c", LATE, str(Path(__file__).parent), str(DOMAIN_ID + 4)])
    deadline = time.monotonic() + 20.0
    while not transport.speakers("/stop") and time.monotonic() < deadline:
        time.sleep(0.05)
    late.kill()
    late.wait()
    assert transport.speakers("/stop") == 1
    transport.close()


def test_a_robot_in_another_process_is_driven_and_stopped_when_it_falls_silent(tmp_path: Path) -> None:
    bundle = write_toy_bundle(tmp_path / "bundle", gain=2.0, control_hz=10.0)
    profile = base_profile(
        inputs=(OdometryInput(topic="/odom", max_age_s=0.4),),
        safety=replace(SAFETY, max_period_factor=20.0),  # a test must not depend on how busy the machine is
        limits=replace(base(), obstacle=NoObstacleSensing(because="a test on rollers")),
        ros=RosConfig(domain_id=DOMAIN_ID + 1),
    )
    write_json(tmp_path / "profile.json", to_json(profile))
    robot = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "dds_robot.py"), str(DOMAIN_ID + 1), "1.0", "2.5"],
        stdout=subprocess.PIPE,
        text=True,
    )
    flags = ["--live", "--confirm", profile.name, "--arm", "--speed", "1.0", "--seconds", "15", "--json"]
    words = [str(bundle), "--profile", str(tmp_path / "profile.json"), "--record", str(tmp_path / "bags"), *flags]
    done = subprocess.run([sys.executable, "-m", "robossl.deploy", *words], capture_output=True, text=True, timeout=60)
    said, _ = robot.communicate(timeout=30)
    assert done.returncode == 3, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert [trip.split(":")[0] for trip in summary["trips"]] == ["stale_input"]
    report = json.loads(said)
    times, linear, angular = (np.array(column) for column in zip(*report["heard"], strict=True))
    assert linear.max() == pytest.approx(0.2)
    assert angular.max() == pytest.approx(0.5)
    assert (np.diff(linear) <= 1.0 * 0.1 + 1e-9).all()
    stopped = (linear == 0) & (angular == 0) & (times > report["silent_s"])
    assert stopped.sum() >= SAFETY.stop_repeats
    assert linear[-1] == angular[-1] == 0
    with Reader(Path(summary["recording"])) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
    assert counts["/cmd_vel"] == len(times)
