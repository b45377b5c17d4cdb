"""A bag as a transport: the bridge listens to what was recorded, and nothing can be said to it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from deploy_robots import SAFETY, TYPES, base_profile, odometry, scan
from rosbags.rosbag2 import StoragePlugin, Writer
from toy_bundle import write_toy_bundle

from robossl.core import Bundle, UserError
from robossl.deploy import app
from robossl.deploy.app import FAULT_EXIT, BridgeOptions
from robossl.deploy.recording import Recording
from robossl.deploy.transports import Topic
from robossl.deploy.transports.bag import BagTransport

ODOMETRY, SCAN, TWIST = "nav_msgs/msg/Odometry", "sensor_msgs/msg/LaserScan", "geometry_msgs/msg/TwistStamped"
PROFILE = base_profile(safety=SAFETY)
BEGUN_NS = 1_700_000_000_000_000_000
STEP_NS = 20_000_000


def write_bag(folder: Path, *, num: int = 150, silent_from: int = 1000, sqlite: bool = False) -> Path:
    """A base that stands, and the commands of whoever drives it, as `ros2 bag record` would keep them."""
    storage = StoragePlugin.SQLITE3 if sqlite else StoragePlugin.MCAP
    with Writer(folder, version=Writer.VERSION_LATEST, storage_plugin=storage) as bag:
        kinds = {"/odom": ODOMETRY, "/scan": SCAN, "/cmd_vel": TWIST, "/chatter": "std_msgs/msg/Bool"}
        topics = {name: bag.add_connection(name, kind, typestore=TYPES.store) for name, kind in kinds.items()}
        for k in range(num):
            stamp_ns = BEGUN_NS + k * STEP_NS
            message = odometry(stamp_ns, 0.0)
            message.pose.pose.position.x = 1e-4 * k
            bag.write(topics["/odom"], stamp_ns, TYPES.to_bytes(message))
            if k < silent_from:
                ranges = np.full(36, 3.0 + 1e-3 * k)
                bag.write(topics["/scan"], stamp_ns, TYPES.to_bytes(scan(stamp_ns, ranges)))
            bag.write(topics["/cmd_vel"], stamp_ns, TYPES.to_bytes(TYPES.zero(TWIST)))
            bag.write(topics["/chatter"], stamp_ns, b"\x00\x01\x00\x00\x01")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(write_toy_bundle(tmp_path / "bundle", control_hz=20.0))


def play(bundle: Bundle, tmp_path: Path, bag: Path, **options: object) -> tuple[int, list[str]]:
    out = io.StringIO()
    wanted = {"record": tmp_path / "bags", "json": True, "bag": bag, **options}
    code = app.run(bundle, PROFILE, BridgeOptions(profile=PROFILE.name, **wanted), out=out, typed=io.StringIO())  # type: ignore[arg-type]
    return code, out.getvalue().splitlines()


@pytest.mark.parametrize("sqlite", [False, True])
def test_a_bag_of_another_recorder_is_decided_upon_in_its_own_time(
    bundle: Bundle, tmp_path: Path, sqlite: bool
) -> None:
    code, lines = play(bundle, tmp_path, write_bag(tmp_path / "walk", sqlite=sqlite))
    summary = json.loads(lines[-1])
    assert (code, summary["state"], summary["trips"]) == (0, "hold", [])
    recording = Recording(Path(summary["recording"]))
    periods = list(recording.periods())
    assert len(periods) == 61 + 1 + SAFETY.stop_repeats  # 2.98 s at 20 Hz, and the stop
    assert {period["t_ns"] % 50_000_000 for period in periods} == {0}
    assert not any(period["sent"] for period in periods)
    assert sum(topic == "/odom" for topic, _, _ in recording.messages()) == 150


def test_what_it_decided_of_a_bag_is_decided_again_the_same(bundle: Bundle, tmp_path: Path) -> None:
    _, lines = play(bundle, tmp_path, write_bag(tmp_path / "walk"))
    recording = Path(json.loads(lines[-1])["recording"])
    code, lines = play(bundle, tmp_path, bag=None, replay=recording)  # type: ignore[arg-type]
    assert (code, json.loads(lines[-1])["different"]) == (0, 0)


def test_silence_in_a_bag_trips_as_it_would_have(bundle: Bundle, tmp_path: Path) -> None:
    code, lines = play(bundle, tmp_path, write_bag(tmp_path / "walk", silent_from=60))
    assert code == FAULT_EXIT
    assert json.loads(lines[-1])["trips"] == ["stale_input: /scan 0.12 (limit 0.1)"]


def test_beside_a_shadow_the_commands_of_the_bag_are_kept_too(bundle: Bundle, tmp_path: Path) -> None:
    _, lines = play(bundle, tmp_path, write_bag(tmp_path / "walk"), mode="shadow")
    kept = Recording(Path(json.loads(lines[-1])["recording"]))
    assert sum(topic == "/cmd_vel" for topic, _, _ in kept.messages()) == 150


def test_a_bag_is_never_commanded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--live excludes --mode, --bag"):
        BridgeOptions(profile="x", live=True, bag=tmp_path)
    bag = BagTransport(write_bag(tmp_path / "walk", num=1))
    with pytest.raises(UserError, match="walk is a bag: nothing can be said to it on /cmd_vel"):
        bag.advertise(Topic(name="/cmd_vel", type=TWIST))
    assert (bag.peers("/odom"), bag.peers("/elsewhere")) == (1, 0)


def test_bags_that_do_not_do_are_refused_in_one_line(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing cannot be read: "):
        play(bundle, tmp_path, tmp_path / "nothing")
    with pytest.raises(UserError, match=r"empty holds no messages"):
        play(bundle, tmp_path, write_bag(tmp_path / "empty", num=0))
    wrong = Topic(name="/odom", type="std_msgs/msg/Bool")
    with pytest.raises(
        UserError, match=r"/odom in .*walk is a nav_msgs/msg/Odometry; the profile says std_msgs/msg/Bool"
    ):
        BagTransport(write_bag(tmp_path / "walk")).subscribe(wrong, lambda data: None)
    with pytest.raises(UserError, match="--bag, --replay and --latency-test exclude each other"):
        BridgeOptions(profile="x", bag=tmp_path, replay=tmp_path)
    assert not (tmp_path / "bags").exists()
