"""ROS 1 as it is: Debian's rosmaster and rospy, in processes of their own."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploy_robots import SAFETY, TYPES, base, base_profile
from namespaces import NAMESPACE, needs_namespaces
from toy_bundle import write_toy_bundle

from robossl.core import UserError
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.profile import RosConfig
from robossl.deploy.topics import OdometryInput
from robossl.deploy.transports.ros1_types import definition, from_ros1, to_ros1

PEERS = Path(__file__).parent / "peers"
DEBIAN = "/usr/bin/python3"
INSTALL = "packaging/install-middleware.sh .venv"

needs_genpy = pytest.mark.skipif(
    subprocess.run([DEBIAN, "-c", "import genpy, nav_msgs.msg"], capture_output=True, check=False).returncode != 0
    if Path(DEBIAN).exists()
    else True,
    reason=f"Debian's genpy and messages are not installed: {INSTALL}",
)
needs_ros1 = pytest.mark.skipif(
    shutil.which("rosmaster") is None or importlib.util.find_spec("rospy") is None,
    reason=f"rosmaster or rospy is not installed: {INSTALL}",
)


@pytest.fixture(scope="module")
def genpy_bytes() -> dict[str, tuple[str, bytes]]:
    said = subprocess.run([DEBIAN, str(PEERS / "genpy_bytes.py")], capture_output=True, text=True, check=True).stdout
    return {kind.replace("/", "/msg/"): (md5, bytes.fromhex(data)) for kind, (md5, data) in json.loads(said).items()}


@pytest.fixture(scope="module")
def master() -> Iterator[str]:
    """A ROS 1 master on a free loopback port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = [DEBIAN, "/usr/bin/rosmaster", "--core", "-p", str(port)]
    process = subprocess.Popen(words, env=ros1_environment(url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not answers(url):
        assert time.monotonic() < deadline, "rosmaster did not answer"
        time.sleep(0.05)
    yield url
    process.terminate()
    process.wait()


def ros1_environment(url: str) -> dict[str, str]:
    logs = tempfile.gettempdir()
    return {**os.environ, "ROS_MASTER_URI": url, "ROS_IP": "127.0.0.1", "ROS_LOG_DIR": f"{logs}/ros1-logs"}


def answers(url: str) -> bool:
    try:
        xmlrpc.client.ServerProxy(url).getPid("/test")
    except OSError:
        return False
    return True


@needs_genpy
def test_bytes_and_sums_are_those_of_ros_1_itself(genpy_bytes: dict[str, tuple[str, bytes]]) -> None:
    assert len(genpy_bytes) == 9
    for kind, (md5, data) in genpy_bytes.items():
        assert definition(kind)[1] == md5, kind
        cdr = from_ros1(TYPES, data, kind)
        message = TYPES.from_bytes(cdr, kind)
        assert to_ros1(TYPES, TYPES.to_bytes(message), kind) == data, kind


@needs_genpy
def test_numbers_arrive_as_they_were_written(genpy_bytes: dict[str, tuple[str, bytes]]) -> None:
    kind = "sensor_msgs/msg/JointState"
    joints = TYPES.from_bytes(from_ros1(TYPES, genpy_bytes[kind][1], kind), kind)
    assert joints.name == ["one", "joint_2"]
    np.testing.assert_array_equal(joints.velocity, [3.0, 4.0])
    assert (joints.header.stamp.sec, joints.header.stamp.nanosec, joints.header.frame_id) == (12, 345, "somewhere")


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 64, bytes(11), bytes(400)])
def test_bytes_that_are_no_message_become_none(data: bytes) -> None:
    assert from_ros1(TYPES, data, "sensor_msgs/msg/JointState") == b""


@needs_ros1
def test_without_a_master_one_line_says_so() -> None:
    from robossl.deploy.transports.ros1 import Ros1Transport

    with pytest.raises(UserError, match=r"no ROS 1 master at http://127\.0\.0\.1:1: .*refused"):
        Ros1Transport(RosConfig(transport="ros1", master="http://127.0.0.1:1"), TYPES)


@needs_ros1
def test_every_socket_is_on_the_loopback_interface(master: str) -> None:
    done = subprocess.run(
        [sys.executable, str(PEERS / "ros1_listeners.py"), master],
        env=ros1_environment(master),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [["tcp", "127.0.0.1"]]


@needs_ros1
@needs_namespaces
def test_on_a_named_interface_nothing_listens_on_others() -> None:
    words = [*NAMESPACE, "sh", str(PEERS / "ros1_elsewhere.sh"), sys.executable]
    url = "http://127.0.0.1:11399"
    done = subprocess.run(words, env=ros1_environment(url), capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert ["tcp", "10.9.0.1"] in json.loads(done.stdout.splitlines()[-1])
    assert "0.0.0.0" not in done.stdout


COMMANDER = """
import rospy
from geometry_msgs.msg import Twist
rospy.init_node("joystick", disable_rosout=True)
rospy.Publisher("/cmd_vel", Twist, queue_size=1)
print("speaks", flush=True)
rospy.spin()
"""
COUNTING = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_ros1 import RosConfig, TYPES
from robossl.deploy.transports import Topic
from robossl.deploy.transports.ros1 import Ros1Transport
transport = Ros1Transport(RosConfig(transport="ros1", master=sys.argv[2]), TYPES)
transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/Twist"))
for line in sys.stdin:
    deadline = time.monotonic() + 20.0
    while transport.speakers("/cmd_vel") != int(line) and time.monotonic() < deadline:
        time.sleep(0.05)
    print(transport.speakers("/cmd_vel"), flush=True)
transport.close()
"""


@needs_ros1
@needs_genpy
def test_who_else_commands_is_known_from_the_master(master: str) -> None:
    environment, pipes = ros1_environment(master), {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    words = [sys.executable, "-c", COUNTING, str(Path(__file__).parent), master]
    counting = subprocess.Popen(words, env=environment, **pipes)  # type: ignore[call-overload]

    def count(expected: int) -> str:
        counting.stdin.write(f"{expected}\n")
        counting.stdin.flush()
        return str(counting.stdout.readline().strip())

    assert count(0) == "0"
    joystick = subprocess.Popen([DEBIAN, "-c", COMMANDER], env=environment, **pipes)  # type: ignore[call-overload]
    joystick.stdout.readline()
    assert count(1) == "1"
    joystick.terminate()
    joystick.wait()
    assert count(0) == "0"
    counting.stdin.close()
    counting.wait(timeout=20)


@needs_ros1
@needs_genpy
def test_somebody_elses_node_is_driven_and_stopped_when_it_falls_silent(master: str, tmp_path: Path) -> None:
    bundle = write_toy_bundle(tmp_path / "bundle", gain=2.0, control_hz=10.0)
    profile = base_profile(
        inputs=(OdometryInput(topic="/odom", max_age_s=0.4),),
        safety=replace(SAFETY, max_period_factor=20.0),  # a test must not depend on how busy the machine is
        limits=replace(base(), obstacle=NoObstacleSensing(because="a test on rollers")),
        ros=RosConfig(transport="ros1", master=master),
    )
    write_json(tmp_path / "profile.json", to_json(profile))
    words = [DEBIAN, str(PEERS / "ros1_base.py"), "1.0", "2.5"]
    robot = subprocess.Popen(words, env=ros1_environment(master), stdout=subprocess.PIPE, text=True)
    flags = ["--live", "--confirm", profile.name, "--arm", "--speed", "1.0", "--seconds", "20", "--json"]
    words = [str(bundle), "--profile", str(tmp_path / "profile.json"), "--record", str(tmp_path / "bags"), *flags]
    done = subprocess.run(
        [sys.executable, "-m", "robossl.deploy", *words],
        env=ros1_environment(master),
        capture_output=True,
        text=True,
        timeout=60,
    )
    said, _ = robot.communicate(timeout=40)
    assert done.returncode == 3, done.stdout + done.stderr
    assert [trip.split(":")[0] for trip in json.loads(done.stdout.splitlines()[-1])["trips"]] == ["stale_input"]
    report = json.loads(said)
    times, linear, angular = (np.array(column) for column in zip(*report["heard"], strict=True))
    assert linear.max() == pytest.approx(0.2)
    assert angular.max() == pytest.approx(0.5)
    assert ((linear == 0) & (times > report["silent_s"])).sum() >= SAFETY.stop_repeats
    assert linear[-1] == angular[-1] == 0
