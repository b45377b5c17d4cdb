"""Atomic writing: a failure leaves the old file."""

import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robossl.core import CorruptFileError, UserError
from robossl.core.files import (
    _is_stream,
    exclusive,
    make_folder,
    read_json,
    require_makeable,
    require_writable,
    write_atomic,
    write_json,
)


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_atomic(path, b"{}")
    assert read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["value.json"]


def test_a_read_only_file_system_is_named_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match=r"cannot write .*/value\.json: Read-only file system"):
        write_atomic(tmp_path / "value.json", b"{}")


def test_where_nothing_can_be_written_is_told_without_a_trace(tmp_path: Path) -> None:
    require_writable(tmp_path / "value.json")
    with pytest.raises(UserError, match=r"cannot write .*/absent/value\.json: No such file or directory"):
        require_writable(tmp_path / "absent" / "value.json")
    with pytest.raises(UserError, match=r"cannot write .*: Is a directory"):
        require_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_made_is_told_without_a_trace(tmp_path: Path) -> None:
    require_makeable(tmp_path / "absent" / "b" / "value.json")
    require_makeable(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*/file/value\.json: Not a directory"):
        require_makeable(tmp_path / "file" / "value.json")
    with pytest.raises(UserError, match=r"cannot write /proc/absent/value\.json: "):
        require_makeable(Path("/proc/absent/value.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("target", ["original.json", "absent.json"])
def test_a_link_is_replaced_and_what_it_leads_to_stays(target: str, tmp_path: Path) -> None:
    write_json(tmp_path / "original.json", {"a": 1})
    (tmp_path / "copy.json").symlink_to(target)
    write_json(tmp_path / "copy.json", {"a": 2})
    assert not (tmp_path / "copy.json").is_symlink()
    assert read_json(tmp_path / "copy.json") == {"a": 2}
    assert read_json(tmp_path / "original.json") == {"a": 1}
    assert not (tmp_path / "absent.json").exists()


def test_a_file_that_a_person_named_is_where_links_lead(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "there.json").symlink_to("kept/value.json")
    for value in ({"a": 1}, {"a": 2}):
        write_json(require_writable(tmp_path / "there.json"), value)
        assert read_json(tmp_path / "kept" / "value.json") == value
    assert (tmp_path / "there.json").is_symlink()
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["value.json"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("folder", "Is a directory"),
        ("to_folder", "Is a directory"),
        ("pipe", "what is there is no regular file"),
        ("to_pipe", "what is there is no regular file"),
        ("to_itself", "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_stays_what_it_is(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    links = {"to_folder": "folder", "to_pipe": "pipe", "to_itself": "to_itself"}
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    for write in (require_writable, lambda path: write_atomic(path, b"{}")):
        with pytest.raises(UserError, match=rf"^cannot write .*/{name}: {told}$"):
            write(tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    assert {path.name: str(path.readlink()) for path in tmp_path.iterdir() if path.is_symlink()} == links


@pytest.mark.parametrize("write", [require_writable, lambda path: write_atomic(path, b"{}")])
def test_whatever_the_disk_refuses_is_told_in_one_line(
    write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"^cannot write .*/xx+: File name too long$"):
        write(tmp_path / ("x" * 300))

    def refuse(path: object, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refuse)  # as in a folder that only others may enter
    with pytest.raises(UserError, match=r"^cannot write .*/value\.json: Permission denied$"):
        write(tmp_path / "value.json")


def test_a_folder_that_cannot_be_synced_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr("robossl.core.files.sync_folder", refuse)
    with pytest.raises(UserError, match=r"^cannot write .*/value\.json: Permission denied$"):
        write_atomic(tmp_path / "value.json", b"{}")


@pytest.mark.parametrize("name", ["/proc/self/fd/{}", "/proc/{pid}/task/{pid}/fd/{}", "/dev/fd/{}", "{folder}/link"])
def test_an_open_stream_is_no_file_to_write_whatever_it_leads_to(name: str, tmp_path: Path) -> None:
    with (tmp_path / "printed").open("w") as file:
        number = file.fileno()
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{number}")
        path = Path(name.format(number, pid=os.getpid(), folder=tmp_path))
        with pytest.raises(UserError, match=r"cannot write .*: that is an open stream, not a file; --json prints"):
            require_writable(path)
        read, write = os.pipe()
        assert _is_stream(Path(f"/proc/self/fd/{write}"))
        os.close(read)
        os.close(write)
    assert {entry.name for entry in tmp_path.iterdir()} == {"printed", "link"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("/dev/stdout", True), ("/dev/stderr", True), ("/dev/null", False), ("/proc/self/fd", False), ("fd/1", False)],
)
def test_what_is_a_stream(name: str, expected: bool) -> None:
    assert _is_stream(Path(name)) == expected


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    write_json(path, {"a": 1})
    path.chmod(0o600)
    write_json(path, {"a": 2})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_to_a_read_only_file_becomes_a_file_like_any_other(tmp_path: Path) -> None:
    write_json(tmp_path / "cache.json", {"a": 1})
    (tmp_path / "cache.json").chmod(0o444)
    (tmp_path / "value.json").symlink_to("cache.json")
    write_json(tmp_path / "value.json", {"a": 2})
    write_json(tmp_path / "other.json", {"a": 2})
    assert (tmp_path / "value.json").stat().st_mode == (tmp_path / "other.json").stat().st_mode


def test_two_threads_that_write_one_file_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, met = tmp_path / "value.json", threading.Barrier(2, timeout=60)
    sync, failures = os.fsync, []

    def together(descriptor: int) -> None:
        sync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            met.wait()  # both are written, and neither is renamed yet

    def work(value: int) -> None:
        try:
            write_json(path, {"a": [value] * 1000})
        except UserError as error:
            failures.append(error)

    monkeypatch.setattr(os, "fsync", together)
    threads = [threading.Thread(target=work, args=(value,)) for value in (1, 22)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert read_json(path) in ({"a": [1] * 1000}, {"a": [22] * 1000})
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


def test_truncated_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    path.write_text('{"a": ')
    with pytest.raises(CorruptFileError, match=r"value\.json"):
        read_json(path)


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match=r"cannot make the folder .*runs"):
        make_folder(tmp_path / "runs" / "a")


def test_a_file_system_without_locks_is_said_once_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with exclusive(tmp_path / "lock", list):
        (tmp_path / "run").touch()
    assert "lock cannot be locked (No locks available): start no second process there\n" in capsys.readouterr().err
    assert (tmp_path / "run").exists()


def test_the_second_to_ask_for_a_lock_says_that_it_waits_and_then_gets_it(tmp_path: Path) -> None:
    said, order, waits = [], [], threading.Event()

    def second() -> None:
        with exclusive(tmp_path / "a" / "lock", lambda: (said.append("waiting"), waits.set())):
            order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(tmp_path / "a" / "lock", lambda: said.append("first waits")):
        thread.start()
        assert waits.wait(60)
        order.append("first")
    thread.join()
    assert said == ["waiting"]
    assert order == ["first", "second"]


def test_a_lock_is_gone_when_it_is_let_go(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock", list):
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_who_waited_for_a_lock_that_was_removed_waits_for_who_made_it_anew(tmp_path: Path) -> None:
    lock, at_work, most = tmp_path / "lock", [], []

    def work() -> None:
        for _ in range(40):
            with exclusive(lock, lambda: None):
                at_work.append(1)
                time.sleep(0.0002)
                most.append(len(at_work))
                at_work.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 160
    assert max(most) == 1
    assert not lock.exists()


def test_a_lock_in_another_folder_of_that_name_stays(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with exclusive(run / "lock", list):
        run.rename(tmp_path / "moved")
        run.mkdir()
        (run / "lock").touch()
    assert (run / "lock").exists()


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path} cannot be read: Is a directory$"):
        read_json(tmp_path)
