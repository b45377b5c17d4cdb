"""Idle cores are kept awake where they answer slowly, for as long as there is work, and by those who may."""

import contextlib
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from robossl.core import UserError, idle_cores
from robossl.core.idle_cores import answer_us, are_kept_awake, awake_cores
from robossl.core.processor import num_cores


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the device's place, on a machine whose cores answer in 50 us."""
    path = tmp_path / "cpu_dma_latency"
    path.touch()
    monkeypatch.setattr(idle_cores, "DEVICE", path)
    monkeypatch.setattr(idle_cores, "answer_us", lambda: 50.0)
    monkeypatch.delenv(idle_cores.CHOICE, raising=False)
    return path


def open_files() -> list[str]:
    """Returns what this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of this folder itself
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found


def test_slow_cores_are_kept_awake_meanwhile(device: Path) -> None:
    with awake_cores() as is_kept_awake:
        assert is_kept_awake
        assert are_kept_awake()
        assert str(device) in open_files()  # the request lasts as long as the file is open
        assert device.read_bytes() == struct.pack("i", 0)
    assert not are_kept_awake()
    assert str(device) not in open_files()


def test_an_error_lets_cores_sleep_again(device: Path) -> None:
    with pytest.raises(RuntimeError, match="of the work"), awake_cores():
        raise RuntimeError("of the work")
    assert str(device) not in open_files()


def test_one_request_is_enough(device: Path) -> None:
    with awake_cores(), awake_cores() as is_kept_awake:
        assert is_kept_awake
        assert open_files().count(str(device)) == 1


def test_cores_that_answer_fast_are_left_alone(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_cores, "answer_us", lambda: 8.0)
    with awake_cores() as is_kept_awake:
        assert not is_kept_awake
    assert device.read_bytes() == b""


def test_the_environment_leaves_cores_alone(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOSSL_IDLE_CORES", "sleep")
    with awake_cores() as is_kept_awake:
        assert not is_kept_awake
    assert device.read_bytes() == b""


def test_another_choice_is_refused(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOSSL_IDLE_CORES", "slepp")
    with (
        pytest.raises(UserError, match="ROBOSSL_IDLE_CORES must be 'sleep', or not be set; got 'slepp'"),
        awake_cores(),
    ):
        pass
    assert device.read_bytes() == b""


def test_where_it_is_forbidden_work_goes_on(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device.unlink()
    with awake_cores() as is_kept_awake:
        assert not is_kept_awake
    device.mkdir()  # exists, and cannot be opened
    with awake_cores() as is_kept_awake:
        assert not is_kept_awake


def test_threads_side_by_side_share_one_request(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, num_open = threading.Barrier(4), list[int]()

    def slowly() -> float:
        time.sleep(0.02)  # in which others would open it, too
        return 50.0

    def work(seconds: float) -> None:
        begun.wait()
        with awake_cores() as is_kept_awake:
            begun.wait()
            num_open.append(open_files().count(str(device)) if is_kept_awake else 0)
            begun.wait()
            time.sleep(seconds)
            assert are_kept_awake()  # though others ended before

    monkeypatch.setattr(idle_cores, "answer_us", slowly)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, 0.01 * i) for i in range(4)]:
            done.result()
    assert num_open == [1, 1, 1, 1]
    assert not are_kept_awake()
    assert str(device) not in open_files()


def test_a_request_that_cannot_be_written_is_none(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, data: bytes) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "write", refuse)
    with awake_cores() as is_kept_awake:
        assert not is_kept_awake
        assert str(device) not in open_files()


def test_a_forked_child_keeps_nothing_awake(device: Path) -> None:
    with awake_cores():
        child = os.fork()
        if child == 0:
            os._exit(int(are_kept_awake()) + 2 * (str(device) in open_files()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert are_kept_awake()


@pytest.mark.parametrize("is_reused", [False, True])
def test_a_descriptor_that_somebody_closed_is_left_alone(device: Path, tmp_path: Path, is_reused: bool) -> None:
    (other := tmp_path / "other").touch()
    with awake_cores():
        number = idle_cores._request.file
        assert number is not None
        os.close(number)
        if is_reused:
            assert os.open(other, os.O_WRONLY) == number
    assert (str(other) in open_files()) == is_reused
    if is_reused:
        os.close(number)


def test_where_no_thread_can_be_started_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert answer_us() is None
    with awake_cores() as is_kept_awake:
        assert not is_kept_awake


def test_what_a_machine_says_is_what_was_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.access(idle_cores.DEVICE, os.R_OK | os.W_OK):
        pytest.skip(f"needs leave to write to {idle_cores.DEVICE}")
    monkeypatch.delenv(idle_cores.CHOICE, raising=False)
    monkeypatch.setattr(idle_cores, "answer_us", lambda: 50.0)
    with awake_cores():
        assert struct.unpack("i", idle_cores.DEVICE.read_bytes()[:4]) == (0,)


def test_an_answer_takes_time_and_leaves_threads_as_they_were() -> None:
    if num_cores() == 1:
        pytest.skip("needs a second core")
    before = os.sched_getaffinity(0), threading.active_count()
    taken_us = answer_us()
    assert taken_us is not None
    assert 0.5 < taken_us < 1e6
    assert (os.sched_getaffinity(0), threading.active_count()) == before


def test_one_core_has_no_other_to_ask() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert answer_us() is None
    finally:
        os.sched_setaffinity(0, before)
