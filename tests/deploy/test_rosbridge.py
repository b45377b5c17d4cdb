import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np
import pytest
from deploy_robots import TYPES, arm_profile, base_profile, joint_state
from fake_rosbridge import FakeRosbridge

from robossl.core import UserError
from robossl.deploy.encoder import CommandEncoder
from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.choice import open_transport
from robossl.deploy.transports.rosbridge import MOST_UNANSWERED, STALLED_S, RosbridgeTransport

JOINTS = Topic(name="/joint_states", type="sensor_msgs/msg/JointState")


@pytest.fixture
def server() -> Iterator[FakeRosbridge]:
    fake = FakeRosbridge()
    yield fake
    fake.close()


def config(server: FakeRosbridge, **changes: str) -> RosConfig:
    return RosConfig(transport="rosbridge", url=server.url, **changes)  # type: ignore[arg-type]


def test_messages_come_as_raw_bytes(server: FakeRosbridge) -> None:
    transport, got = open_transport(config(server), TYPES), list[bytes]()
    transport.subscribe(JOINTS, got.append)
    server.wait_for(1)
    assert server.said[0]["compression"] == "cbor-raw"
    assert server.said[0]["type"] == JOINTS.type
    data = TYPES.to_bytes(joint_state(1, (0.1, 0.2)))
    server.send(JOINTS.name, data)
    server.send(JOINTS.name, data)
    for _ in range(20):
        transport.spin_once(0.5)
        if len(got) == 2:
            break
    assert got == [data, data]
    transport.close()


@pytest.mark.parametrize(
    "profile",
    [arm_profile(), base_profile(), replace(base_profile(), output=replace(base_profile().output, stamped=False))],
)
def test_commands_go_as_json(server: FakeRosbridge, profile: object) -> None:
    encoder = CommandEncoder(profile, TYPES, period_s=0.02)  # type: ignore[arg-type]
    transport = RosbridgeTransport(config(server), TYPES)
    transport.advertise(Topic(name=encoder.topic, type=encoder.type))
    transport.publish(encoder.topic, TYPES.to_bytes(encoder.encode(np.array([0.25, -0.5]), 3_000_000_004)))
    server.wait_for(2)
    assert server.said[0] == {"op": "advertise", "topic": encoder.topic, "type": encoder.type}
    message = server.said[1]["msg"]
    if "points" in message:
        assert message["joint_names"] == ["robot_joint1", "robot_joint2"]
        assert message["points"][0]["positions"] == [0.25, -0.5]
        assert message["points"][0]["time_from_start"] == {"sec": 0, "nanosec": 30_000_000}
    else:
        twist = message.get("twist", message)
        assert (twist["linear"]["x"], twist["angular"]["z"]) == (0.25, -0.5)
    if "twist" in message:
        assert message["header"] == {"stamp": {"sec": 3, "nanosec": 4}, "frame_id": "base_link"}
    transport.close()


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        b"",
        b"\xff" * 9,
        cbor2.dumps([1]),
        cbor2.dumps({"topic": JOINTS.name}),
        cbor2.dumps({"topic": 3, "msg": {"bytes": b""}}),
        b"\x81" * 5000,
    ],
)
def test_frames_that_are_no_message_change_nothing(server: FakeRosbridge, frame: str | bytes) -> None:
    transport, got = RosbridgeTransport(config(server), TYPES), list[bytes]()
    transport.subscribe(JOINTS, got.append)
    server.wait_for(1)
    server.send_frame(frame)
    server.send(JOINTS.name, b"1234")
    for _ in range(20):
        transport.spin_once(0.5)
        if got:
            break
    assert got == [b"1234"]
    transport.close()


def test_a_flood_does_not_keep_the_bridge_from_deciding(server: FakeRosbridge) -> None:
    transport, got = RosbridgeTransport(config(server), TYPES), list[bytes]()
    transport.subscribe(JOINTS, got.append)
    server.wait_for(1)
    flood = threading.Thread(target=lambda: [server.send(JOINTS.name, b"1234") for _ in range(500)])
    flood.start()
    most = 0
    while len(got) < 500:
        before = len(got)
        transport.spin_once(1.0)
        most = max(most, len(got) - before)
    flood.join()
    assert most <= 64
    transport.close()


def test_what_stays_silent_is_asked_for_again_until_it_is_heard_but_not_a_stop(
    server: FakeRosbridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robossl.deploy.transports.rosbridge._ASK_AGAIN_S", 0.05)
    transport, got = open_transport(config(server), TYPES), list[bytes]()
    transport.subscribe(JOINTS, got.append)
    transport.subscribe(Topic(name="/stop", type="std_msgs/msg/Bool", sure=True), got.append)
    deadline = time.monotonic() + 20.0
    while len(server.said) < 6 and time.monotonic() < deadline:
        transport.spin_once(0.02)
    asked = [(said["op"], said["topic"]) for said in server.said]
    again = [("unsubscribe", "/joint_states"), ("subscribe", "/joint_states")]
    assert asked[:6] == [("subscribe", "/joint_states"), ("subscribe", "/stop"), *again, *again]
    server.send(JOINTS.name, TYPES.to_bytes(joint_state(1, (0.1, 0.2))))
    while not got:
        transport.spin_once(0.1)
    time.sleep(0.2)
    count = len(server.said)
    for _ in range(10):
        transport.spin_once(0.02)
    transport.close()
    assert len(server.said) == count


def test_a_server_that_leaves_is_a_lost_peer(server: FakeRosbridge) -> None:
    transport = RosbridgeTransport(config(server), TYPES)
    transport.subscribe(JOINTS, list[bytes]().append)
    server.wait_for(1)
    assert transport.peers(JOINTS.name) == 1
    server.close()
    for _ in range(20):
        transport.spin_once(0.2)
        if not transport.peers(JOINTS.name):
            break
    assert transport.peers(JOINTS.name) == 0
    transport.advertise(JOINTS)
    transport.publish(JOINTS.name, TYPES.to_bytes(joint_state(1, (0.0, 0.0))))
    transport.close()


class Relay:
    """A network between client and server that can stall on the way there."""

    def __init__(self, port: int) -> None:
        self.flows = threading.Event()
        self.flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(port,), daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self, port: int) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self._pass, args=(server, client), daemon=True).start()
        self._pass(client, server, stalls=True)

    def _pass(self, source: socket.socket, target: socket.socket, *, stalls: bool = False) -> None:
        while data := source.recv(65536):
            if stalls:
                self.flows.wait()
            target.sendall(data)


def test_a_stalled_link_neither_blocks_nor_brings_a_burst_of_old_commands(server: FakeRosbridge) -> None:
    relay = Relay(int(server.url.rsplit(":", 1)[1]))
    transport = RosbridgeTransport(RosConfig(transport="rosbridge", url=relay.url), TYPES)
    topic = Topic(name="/positions", type="std_msgs/msg/Float64MultiArray")
    transport.advertise(topic)
    server.wait_for(1)
    relay.flows.clear()
    for number in range(3000):
        transport.publish(topic.name, TYPES.to_bytes(TYPES.values([float(number)] * 40)))
    time.sleep(STALLED_S + 0.1)
    assert transport.peers(topic.name) == 0
    relay.flows.set()
    deadline = time.monotonic() + 20.0
    while server.said[-1].get("msg", {}).get("data", [0.0])[0] != 2999.0 and time.monotonic() < deadline:
        transport.spin_once(0.02)
    assert server.said[-1]["msg"]["data"][0] == 2999.0
    assert len(server.said) <= 2 + MOST_UNANSWERED
    transport.spin_once(0.1)
    assert transport.peers(topic.name) == 1
    transport.close()
    relay.close()


def test_no_proxy_of_the_environment_carries_the_commands(
    server: FakeRosbridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("all", "http", "https", "socks"):
        monkeypatch.setenv(f"{name}_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    transport = RosbridgeTransport(config(server), TYPES)
    transport.subscribe(JOINTS, list[bytes]().append)
    server.wait_for(1)
    transport.close()


def test_a_token_comes_from_the_environment(server: FakeRosbridge, monkeypatch: pytest.MonkeyPatch) -> None:
    ros = config(server, token_variable="ROBOT_TOKEN")
    with pytest.raises(UserError, match="ROBOT_TOKEN, which is not set"):
        RosbridgeTransport(ros, TYPES)
    monkeypatch.setenv("ROBOT_TOKEN", "secret")
    transport = RosbridgeTransport(ros, TYPES)
    transport.subscribe(JOINTS, list[bytes]().append)
    server.wait_for(1)
    assert server.headers["Authorization"] == "Bearer secret"
    transport.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: it makes the certificate")
def test_a_server_with_a_certificate_of_its_own_is_trusted_where_the_profile_names_it(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subject = ["-subj", "/CN=robot", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = FakeRosbridge(tls)
    with pytest.raises(UserError, match=r"no rosbridge at wss://.*certificate verify failed"):
        RosbridgeTransport(config(server), TYPES)
    with pytest.raises(UserError, match=r"no certificates can be read from .*nowhere\.pem"):
        RosbridgeTransport(config(server, ca_file=str(tmp_path / "nowhere.pem")), TYPES)
    transport, got = RosbridgeTransport(config(server, ca_file=str(certificate)), TYPES), list[bytes]()
    transport.subscribe(JOINTS, got.append)
    server.wait_for(1)
    server.send(JOINTS.name, b"1234")
    while not got:
        transport.spin_once(0.5)
    transport.close()
    server.close()


def test_no_server_is_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"^no rosbridge at ws://127\.0\.0\.1:9: ") as caught:
        RosbridgeTransport(RosConfig(transport="rosbridge", url="ws://127.0.0.1:9"), TYPES)
    assert "\n" not in str(caught.value)
