"""ROS 2 as it is: whatever rclpy was sourced, against nodes that know nothing of robossl. `make ros2-test`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_robots import SAFETY, base, base_profile
from namespaces import NAMESPACE, needs_namespaces
from test_dds import everything, require_survived
from toy_bundle import write_toy_bundle

from robossl.cli.profiles import load_profile
from robossl.core import UserError
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import OdometryInput
from robossl.deploy.transports import Topic, Transport
from robossl.deploy.transports.choice import open_transport
from robossl.rehearsal.stage import Stage, run_episodes

PEERS = Path(__file__).parent / "peers"
DOMAIN_ID = 100 + (os.getpid() + 50) % 100
"""Of this test process: another run on the same machine must not be heard."""


def why_not() -> str | None:
    """Returns what is missing; whether rclpy imports is asked of another process, which a broken one may take along."""
    code = "import rclpy, rosidl_runtime_py, nav_msgs.msg, trajectory_msgs.msg; rclpy.init()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"rclpy: source a ROS 2 installation ({done.stderr.splitlines()[-1]})"


REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
DISTRO: Any = os.environ.get("ROS_DISTRO", "humble")
ROS, TYPES = RosConfig(transport="rclpy", distro=DISTRO, domain_id=DOMAIN_ID), RosTypes(DISTRO)
BOOL = "std_msgs/msg/Bool"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the peers are given, and what is put back after the transport has set it."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN_ID))
    monkeypatch.setenv("ROS_LOCALHOST_ONLY", "1")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(params=["rclpy", "dds"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    found = open_transport(replace(ROS, transport=request.param, node="robossl_bridge"), TYPES)
    yield found
    found.close()


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python with some words; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str, python: str = sys.executable) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([python, *words], **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def spin_until(transport: Transport, is_so: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not is_so() and time.monotonic() < deadline:
        transport.spin_once(0.02)
    return is_so()


def test_every_message_comes_back_as_it_was_sent_and_the_graph_knows_the_node(
    capfd: pytest.CaptureFixture[str], transport: Transport, started: Callable[..., subprocess.Popen[str]]
) -> None:
    messages = everything()
    kinds = [TYPES.type_of(message) for message in messages]
    echo = started(str(PEERS / "ros2_echo.py"), *kinds)
    back: dict[int, bytes] = {}
    seen: list[bytes] = []
    for i, kind in enumerate(kinds):
        transport.advertise(Topic(name=f"/there/n{i}", type=kind))
        transport.subscribe(Topic(name=f"/back/n{i}", type=kind), lambda data, i=i: back.update({i: data}))
    transport.advertise(Topic(name="/look", type="std_msgs/msg/String"))
    transport.subscribe(Topic(name="/seen", type="std_msgs/msg/String"), seen.append)
    topics = [f"/{way}/n{i}" for i in range(len(kinds)) for way in ("there", "back")]
    assert spin_until(transport, lambda: all(map(transport.peers, (*topics, "/look", "/seen"))))
    for i, message in enumerate(messages):
        transport.publish(f"/there/n{i}", TYPES.to_bytes(message))
    assert spin_until(transport, lambda: len(back) == len(kinds))
    for i, message in enumerate(messages):  # Cyclone's fills up to a multiple of four bytes
        sent = TYPES.to_bytes(message)
        assert (back[i][: len(sent)], back[i][len(sent) :]) == (sent, bytes(len(back[i]) - len(sent))), kinds[i]
        assert len(back[i]) - len(sent) < 4
    graph: dict[str, Any] = {}

    def is_known() -> bool:  # names come a moment after topics
        transport.publish("/look", TYPES.to_bytes(TYPES.make("std_msgs/msg/String", data="")))
        graph.update(json.loads(TYPES.from_bytes(seen[-1], "std_msgs/msg/String").data) if seen else {})
        offered = [graph["offers"][f"n{i}"] for i in range(len(kinds))] if graph else []
        return graph.get("nodes") == ["echo", "robossl_bridge"] and offered == offers

    offers = [[["robossl_bridge", kind, "RELIABLE", "VOLATILE", True]] for kind in kinds]
    assert spin_until(transport, is_known), graph
    assert "type hash" not in capfd.readouterr().err  # which Jazzy cannot read where we do not tell it
    echo.communicate("", timeout=20)
    assert echo.returncode == 0


def test_spoilt_messages_and_datagrams_that_are_no_rtps_are_survived() -> None:
    require_survived("rclpy", DOMAIN_ID)


STOP = """
import sys, rclpy, time
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Bool
reliability, durability, repeats = sys.argv[1:]
rclpy.init()
node = rclpy.create_node("button")
qos = QoSProfile(depth=1, reliability=QoSReliabilityPolicy[reliability], durability=QoSDurabilityPolicy[durability])
publisher = node.create_publisher(Bool, "/stop", qos)
publisher.publish(Bool(data=True))
print("pressed", flush=True)
while True:
    time.sleep(0.1)
    if int(repeats):
        publisher.publish(Bool(data=True))
"""


@pytest.mark.parametrize(
    ("reliability", "durability", "repeats"),
    [("BEST_EFFORT", "VOLATILE", True), ("RELIABLE", "VOLATILE", True), ("RELIABLE", "TRANSIENT_LOCAL", False)],
)
def test_a_stop_is_heard_however_it_is_offered_and_a_latched_one_from_before(
    capfd: pytest.CaptureFixture[str],
    transport: Transport,
    started: Callable[..., subprocess.Popen[str]],
    reliability: str,
    durability: str,
    repeats: bool,
) -> None:
    button = started("-c", STOP, reliability, durability, str(int(repeats)))
    assert button.stdout is not None
    button.stdout.readline()
    heard: list[bytes] = []
    transport.subscribe(Topic(name="/stop", type=BOOL, sure=True), heard.append)
    assert spin_until(transport, lambda: bool(heard))
    assert TYPES.from_bytes(heard[0], BOOL).data
    assert "incompatible QoS" not in capfd.readouterr().err  # nothing says that a stop would not be received


SPEAKER = """
import rclpy, time
from geometry_msgs.msg import Twist
rclpy.init()
node = rclpy.create_node("joystick")
publisher = node.create_publisher(Twist, "/cmd_vel", 1)
print("speaks", flush=True)
time.sleep(600)
"""


def test_who_else_speaks_is_known_of_any_type_and_forgotten_when_it_is_killed(
    transport: Transport, started: Callable[..., subprocess.Popen[str]]
) -> None:
    transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/TwistStamped"))
    assert transport.speakers("/cmd_vel") == 0
    joystick = started("-c", SPEAKER)
    assert joystick.stdout is not None
    joystick.stdout.readline()
    assert spin_until(transport, lambda: transport.speakers("/cmd_vel") == 1)
    assert transport.peers("/cmd_vel") == 0
    joystick.kill()
    assert spin_until(transport, lambda: transport.speakers("/cmd_vel") == 0, timeout_s=40.0)


def test_a_listener_that_is_frozen_does_not_hold_up_who_speaks(started: Callable[..., subprocess.Popen[str]]) -> None:
    kind = "geometry_msgs/msg/Twist"
    transport = open_transport(ROS, TYPES)
    transport.advertise(Topic(name="/there/n0", type=kind))
    echo = started(str(PEERS / "ros2_echo.py"), kind)
    assert spin_until(transport, lambda: transport.peers("/there/n0") == 1)
    os.kill(echo.pid, signal.SIGSTOP)

    def speak() -> None:
        for _ in range(200):
            transport.publish("/there/n0", TYPES.to_bytes(TYPES.zero(kind)))
            transport.spin_once(0.005)

    speaking = threading.Thread(target=speak, daemon=True)
    speaking.start()
    speaking.join(20.0)
    assert not speaking.is_alive()
    transport.close()


def drive_base(
    started: Callable[..., subprocess.Popen[str]], folder: Path, ros: RosConfig, kill: subprocess.Popen[str] | None
) -> tuple[list[str], dict[str, Any]]:
    """Lets a bridge drive somebody else's base until the base falls silent, or what is killed is; returns the bridge's
    trips and what the base says of it."""
    bundle = write_toy_bundle(folder / "bundle", gain=2.0, control_hz=10.0)
    profile = base_profile(
        inputs=(OdometryInput(topic="/odom", max_age_s=0.4),),
        safety=replace(SAFETY, max_period_factor=20.0),  # a test must not depend on how busy the machine is
        limits=replace(base(), obstacle=NoObstacleSensing(because="a test on rollers")),
        ros=ros,
    )
    write_json(folder / "profile.json", to_json(profile))
    flags = ["--live", "--confirm", profile.name, "--arm", "--speed", "1.0", "--seconds", "30", "--json"]
    words = [str(bundle), "--profile", str(folder / "profile.json"), "--record", str(folder / "bags"), *flags]
    bridge = started("-m", "robossl.deploy", *words)
    assert bridge.stdout is not None
    said = bridge.stdout.readline()  # it waits, and has asked for its topics
    robot = started(str(PEERS / "ros2_base.py"), "60" if kill else "1.0", "2.5")
    while kill and " run" not in said and bridge.poll() is None:
        said += bridge.stdout.readline()
    if kill:
        time.sleep(0.5)
        kill.kill()
    said += bridge.communicate(timeout=60)[0]
    assert bridge.returncode == 3, said
    report = json.loads(robot.communicate(timeout=60)[0])
    return [trip.split(":")[0] for trip in json.loads(said.splitlines()[-1])["trips"]], report


def require_driven_and_stopped(report: dict[str, Any]) -> None:
    times, linear, angular = (np.array(column) for column in zip(*report["heard"], strict=True))
    assert linear.max() == pytest.approx(0.2)
    assert angular.max() == pytest.approx(0.5)
    assert ((linear == 0) & (times > report["silent_s"])).sum() >= SAFETY.stop_repeats
    assert linear[-1] == angular[-1] == 0


def test_somebody_elses_node_is_driven_and_stopped_when_it_falls_silent(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    trips, report = drive_base(started, tmp_path, ROS, None)
    assert trips == ["stale_input"]
    require_driven_and_stopped(report)
    assert report["graph"] == [["robossl_bridge", "geometry_msgs/msg/TwistStamped"]]


@pytest.fixture
def server(started: Callable[..., subprocess.Popen[str]]) -> tuple[subprocess.Popen[str], str]:
    """A rosbridge server in its own process, and its address."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        folder = Path(get_package_prefix("rosbridge_server"))
    except PackageNotFoundError:
        pytest.skip("rosbridge_server is not installed in the ROS 2 that was sourced")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = folder / "lib" / "rosbridge_server" / "rosbridge_websocket"
    words = ["--ros-args", "-p", "address:=127.0.0.1", "-p", f"port:={port}"]
    process = started(str(program), *words, python=shutil.which("python3") or sys.executable)
    deadline = time.monotonic() + 30.0
    while not is_listening(port) and time.monotonic() < deadline:
        assert process.poll() is None, "rosbridge_server has ended: are tornado and pymongo (bson) there?"
        time.sleep(0.1)
    return process, f"ws://127.0.0.1:{port}"


def is_listening(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def test_through_a_rosbridge_server_it_is_driven_and_stopped_too(
    started: Callable[..., subprocess.Popen[str]], server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    trips, report = drive_base(started, tmp_path, replace(ROS, transport="rosbridge", url=server[1]), None)
    assert trips == ["stale_input"]
    require_driven_and_stopped(report)


def test_a_rosbridge_server_that_dies_is_missed(
    started: Callable[..., subprocess.Popen[str]], server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    trips, report = drive_base(started, tmp_path, replace(ROS, transport="rosbridge", url=server[1]), server[0])
    assert trips[0] in ("lost_peer", "stale_input")
    assert max(linear for _, linear, _ in report["heard"]) > 0


def test_the_bundle_that_comes_with_robossl_reaches_its_goal_through_ros_2() -> None:
    with (
        as_file(files("robossl.assets").joinpath("bundles", "arm_reach")) as bundle,
        Stage(bundle, load_profile("panda"), bridge_words=["--speed", "1.0"], bridge_transport="rclpy") as stage,
    ):
        trips = run_episodes(stage, 2, progress=lambda done, success: None)
        robot, bridge = stage.end()
    assert (robot["episodes"], robot["rejected"]) == (2, 0)
    assert robot["success_rate"] > 0
    assert {trip.split(":")[0] for trip in (*trips, *bridge["trips"])} <= {"stale_input", "overrun"}  # a busy machine's


CLOSING = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from test_ros2 import ROS, TYPES, Topic, open_transport, replace
left = []
for _ in range(4):
    transport = open_transport(replace(ROS, domain_id=int(sys.argv[2])), TYPES)
    transport.subscribe(Topic(name="/stop", type="std_msgs/msg/Bool", sure=True), print)
    transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/Twist"))
    transport.spin_once(0.05)
    transport.close()
    left.append((len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))))
print(";".join(map(str, left)).replace(" ", ""))
"""


def test_what_is_closed_leaves_no_thread_and_no_socket(started: Callable[..., subprocess.Popen[str]]) -> None:
    closing = started("-c", CLOSING, str(Path(__file__).parent), str(DOMAIN_ID))
    said, _ = closing.communicate(timeout=60)
    assert closing.returncode == 0
    assert len(set(said.split()[0].split(";")[1:])) == 1, said


@needs_namespaces
@pytest.mark.parametrize("interface", ["lo", "ve0"])
def test_no_other_interface_is_heard_and_from_loopback_nothing_goes_out(
    monkeypatch: pytest.MonkeyPatch, interface: str
) -> None:
    monkeypatch.delenv("ROS_LOCALHOST_ONLY")
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE")
    words = [*NAMESPACE, sys.executable, str(PEERS / "outside_packets.py"), interface, "rclpy"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ordinary"] == 20  # the packets do arrive at this machine
    assert found["heard_each_other"]
    if interface == "lo":
        assert found["dropped"] == found["sent"]  # both 0 where the middleware binds nothing but 127.0.0.1
        assert found["went_out"] == 0
    else:
        assert found["dropped"] == 0


@pytest.mark.parametrize(
    ("ros", "message"),
    [
        (replace(ROS, peers=("10.0.0.1",)), "peers are for transport dds: tell them to ROS 2 by the settings of"),
        (replace(ROS, interface="nowhere0"), "network interface 'nowhere0' has no address"),
    ],
)
def test_what_ros_2_cannot_be_told_is_refused_in_one_line(ros: RosConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_transport(ros, TYPES)
    open_transport(ROS, TYPES).close()  # and nothing stands in the way of the next one
