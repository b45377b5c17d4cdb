import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_robots import TYPES
from rosbags.rosbag2 import Reader

from robossl.deploy.recorder import Recorder

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
