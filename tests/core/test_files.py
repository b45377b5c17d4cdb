"""Atomic writing: a failure leaves the old file."""

import errno
from pathlib import Path

import pytest

from robossl.core import CorruptFileError, UserError
from robossl.core.files import read_json, write_atomic, write_json


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


def test_truncated_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    path.write_text('{"a": ')
    with pytest.raises(CorruptFileError, match=r"value\.json"):
        read_json(path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path} cannot be read: Is a directory$"):
        read_json(tmp_path)
