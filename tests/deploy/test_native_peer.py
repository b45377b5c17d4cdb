"""Our DDS against somebody else's: a program in C on Debian's Cyclone DDS, whose types and serialiser idlc made."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_robots import TYPES, image

from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.dds import DdsTransport, configuration

PEERS = Path(__file__).parent / "peers"
DOMAIN_ID = 40 + os.getpid() % 50
SECONDS = 40.0
"""After which the peer ends, heard or not; else it is told to."""
ABSENT = [name for name in ("idlc", "cc") if shutil.which(name) is None]
ABSENT += [] if Path("/usr/include/dds/dds.h").exists() else ["dds/dds.h"]
pytestmark = pytest.mark.skipif(
    bool(ABSENT), reason=f"{', '.join(ABSENT)}: not installed: packaging/install-middleware.sh"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    subprocess.run(["idlc", str(PEERS / "ros.idl")], check=True, cwd=folder)
    compiled = ["cc", "-O1", "-Wall", "-Werror", "-I.", "-o", "native_peer", str(PEERS / "native_peer.c"), "ros.c"]
    subprocess.run([*compiled, "-lddsc"], check=True, cwd=folder)
    return folder / "native_peer"


@pytest.fixture
def transport() -> Iterator[DdsTransport]:
    found = DdsTransport(RosConfig(domain_id=DOMAIN_ID), TYPES)
    yield found
    found.close()


def test_a_program_in_c_hears_us_and_is_heard(program: Path, transport: DdsTransport) -> None:
    joints, echoes = list[bytes](), list[bytes]()
    kinds = {"/joint_states": "sensor_msgs/msg/JointState", "/echo": "geometry_msgs/msg/Twist"}
    transport.subscribe(Topic(name="/joint_states", type=kinds["/joint_states"]), joints.append)
    transport.subscribe(Topic(name="/echo", type=kinds["/echo"]), echoes.append)
    transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/Twist"))
    transport.advertise(Topic(name="/image", type="sensor_msgs/msg/Image"))
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    settings = configuration(RosConfig()).replace("<InitialLocatorPruneDelay>inf</InitialLocatorPruneDelay>", "")
    environment = {**os.environ, "CYCLONEDDS_URI": settings}  # 0.10.2 pings for ever, and has no such setting
    words = [str(program), str(DOMAIN_ID), str(SECONDS)]
    peer = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    while peer.poll() is None:
        done = len(joints) > 100 and bool(echoes) and TYPES.from_bytes(echoes[-1], kinds["/echo"]).linear.y > 20
        transport.publish("/image", TYPES.to_bytes(image(7, pixels, "rgb8")))
        transport.publish("/cmd_vel", TYPES.to_bytes(twist(0.1, -1e-9, end=done)))
        transport.spin_once(0.02)
    said, _ = peer.communicate(timeout=SECONDS)
    assert peer.returncode == 0
    heard = json.loads(said)
    assert (heard["linear_x"], heard["angular_z"]) == (0.1, -1e-9)
    assert (heard["sum"], heard["encoding"], heard["height"]) == (int(pixels.sum()), "rgb8", 48)
    assert heard["twists"] > 20
    assert heard["images"] > 20
    counts = [TYPES.from_bytes(data, kinds["/joint_states"]).position[0] for data in joints]
    assert len(counts) > 100
    assert (np.diff(counts) > 0).all()
    last = TYPES.from_bytes(joints[-1], kinds["/joint_states"])
    assert last.name == ["robot_joint2", "robot_joint1"]
    np.testing.assert_array_equal(last.velocity, [-0.5, 1e-9])
    assert TYPES.from_bytes(echoes[-1], kinds["/echo"]).linear.x == -0.1


def twist(linear: float, angular: float, *, end: bool) -> Any:
    zero = {"x": 0.0, "y": 0.0, "z": 0.0}
    return TYPES.make(
        "geometry_msgs/msg/Twist",
        linear=TYPES.make("geometry_msgs/msg/Vector3", **{**zero, "x": linear, "z": float(end)}),
        angular=TYPES.make("geometry_msgs/msg/Vector3", **{**zero, "z": angular}),
    )
