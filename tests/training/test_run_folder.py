import errno
import json
import os
import threading

import pytest

from robossl.core import UserError
from robossl.training.run_folder import clear_disk_errors, new_run_folder, only_writer, write_command, write_system_json


def test_runs_are_numbered(tmp_path):
    assert [new_run_folder(tmp_path, "quickstart").name for _ in range(3)] == ["1", "2", "3"]
    (tmp_path / "quickstart" / "17").mkdir()
    (tmp_path / "quickstart" / "notes").mkdir()
    assert new_run_folder(tmp_path, "quickstart") == tmp_path / "quickstart" / "18"
    assert new_run_folder(tmp_path, "other").name == "1"


def test_two_at_once_never_share_a_number(tmp_path):
    folders = []
    threads = [threading.Thread(target=lambda: folders.append(new_run_folder(tmp_path, "a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(folders)) == 8


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="cannot create a run folder"):
        new_run_folder(tmp_path / "runs", "a")


def test_a_path_that_tensorboard_cannot_write_to_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UserError, match="the path of a run must be UTF-8"):
        new_run_folder(tmp_path / os.fsdecode(b"d\xff"), "a")
    assert list(tmp_path.iterdir()) == []


def test_a_run_has_one_writer_at_a_time(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(UserError, match="is being written by another process"),
        only_writer(tmp_path),
    ):
        pass
    with only_writer(tmp_path):  # the lock file that is left locks nothing
        pass


def test_commands_are_kept_as_a_shell_takes_them(tmp_path):
    write_command(tmp_path, ["robossl", "train", "my preset"])
    write_command(tmp_path, ["robossl", "train", "--resume", "runs/a/1"])
    assert (tmp_path / "command.txt").read_text() == "robossl train 'my preset'\nrobossl train --resume runs/a/1\n"


def test_a_command_may_name_a_path_that_is_no_text(tmp_path):
    for _ in range(2):
        write_command(tmp_path, ["robossl", "train", "-f", os.fsdecode(b"d\xff")])
    assert (tmp_path / "command.txt").read_bytes() == b"robossl train -f 'd\xff'\n" * 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_disk_that_takes_no_more_is_one_clear_line(tmp_path, number):
    with pytest.raises(UserError, match=f"cannot write {tmp_path}: {os.strerror(number)}"), clear_disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))


def test_the_system_is_described(tmp_path):
    write_system_json(tmp_path)
    system = json.loads((tmp_path / "system.json").read_text())
    assert system["num_cores"] == len(os.sched_getaffinity(0))
    assert system["idle_cores_kept_awake"] is False
    assert {"robossl", "python", "torch", "numpy", "stable-baselines3"} <= set(system["versions"])


def test_the_system_is_that_of_the_first_start(tmp_path):
    (tmp_path / "system.json").write_text("{}")
    write_system_json(tmp_path)
    assert (tmp_path / "system.json").read_text() == "{}"
