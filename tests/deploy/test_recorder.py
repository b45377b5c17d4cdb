import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_robots import TYPES, Scripted, arm_contract, arm_profile
from loopback_session import recorded
from rosbags.rosbag2 import Reader

from robossl.core import UserError
from robossl.deploy.bag_file import read_bag
from robossl.deploy.recorder import Recorder
from robossl.deploy.replay import replay

BOOL = "std_msgs/msg/Bool"
DATA = TYPES.to_bytes(TYPES.make(BOOL, data=True))


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process may become greater than some kilobytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_drops_messages_and_does_not_keep_the_run_from_ending(tmp_path: Path, small_disk: None) -> None:
    written = Recorder(tmp_path / "bag", TYPES)
    for k in range(20_000):
        written.message("/stop", BOOL, DATA * 100, k)
        if k % 100 == 0:
            time.sleep(0.001)  # the recorder keeps up until the disk does not
    closing = threading.Thread(target=written.close, daemon=True)
    closing.start()
    closing.join(20.0)
    assert not closing.is_alive()
    assert written.num_dropped > 0
    assert "File too large" in str(written.failure)


def test_messages_that_wait_for_the_disk_have_a_greatest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, writes = Recorder(tmp_path / "bag", TYPES), threading.Event()
    monkeypatch.setattr(written._writer, "write", lambda *_: writes.wait(20.0))
    large = bytes(64 * 1024 * 1024)
    for k in range(10):
        written.message("/image", BOOL, large, k)
    assert written.num_dropped == 6
    writes.set()
    written.close()


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    written = Recorder(tmp_path / "bag", TYPES)
    for k in range(3):
        written.message("/stop", BOOL, DATA, k)
    written.close()
    assert (written.failure, written.num_dropped) == (None, 0)
    with Reader(tmp_path / "bag") as reader:
        assert [bytes(data) for _, _, data in reader.messages()] == [DATA] * 3


KILLED = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from loopback_session import PROFILE, TYPES, Recorder, World, arm_when_ready, make_session
world, recorder = World(), Recorder(__import__("pathlib").Path(sys.argv[2]), TYPES)
session = make_session(world, recorder=recorder)
session.describe(bundle="digest", profile=PROFILE.name, speed=0.5)
arm_when_ready(session, world, 1.0)
time.sleep(1.1)
arm_when_ready(session, world, 0.1)
time.sleep(0.3)  # until the thread has written that
arm_when_ready(session, world, 0.5)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_recorded_until_a_second_before_is_read_and_decided_again(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", KILLED, here, str(bag)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (bag / "metadata.yaml").exists()
    found = replay(bag, Scripted(arm_contract(), 0.4, 0.3), arm_profile(), digest="digest")
    assert found.lost == f"{bag} was never closed: its last second or so is lost"
    assert found.different == 0
    assert 50 <= found.periods < 80
    whole = (bag / "bag.mcap").read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 9, 8):  # a power cut may end it anywhere
        (bag / "bag.mcap").write_bytes(whole[:length])
        assert len(read_bag(bag).messages) < found.periods * 20
    (bag / "bag.mcap").write_bytes(whole[1:])
    with pytest.raises(UserError, match="cannot be read: no MCAP file"):
        read_bag(bag)


def test_an_unclosed_bag_is_read_as_the_same_one_closed(tmp_path: Path) -> None:
    bag = recorded(tmp_path)
    closed = read_bag(bag)
    assert closed.lost is None
    (bag / "metadata.yaml").unlink()
    unclosed = read_bag(bag)
    assert (unclosed.messages, unclosed.types) == (closed.messages, closed.types)
    assert unclosed.lost is not None
