"""Resized .npy files: whole at every moment, on the disk as well."""

import os
from pathlib import Path

import numpy as np
import pytest

from robossl.data.npy_files import create_npy, open_npy, resize_npy


@pytest.mark.parametrize(("before", "after"), [(8, 3), (3, 8)])
def test_what_is_on_the_disk_before_the_second_change_is_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    path = tmp_path / "rows.npy"
    create_npy(path, (before, 2), "float32")[:] = np.arange(2 * before).reshape(before, 2)
    synced: list[tuple[int, int]] = []

    def fsync(descriptor: int) -> None:
        synced.append((len(open_npy(path)), os.fstat(descriptor).st_size))

    monkeypatch.setattr("os.fsync", fsync)
    resize_npy(path, after)
    assert synced == [(3, 128 + 8 * 8)]  # the fewer rows are told, the more are there
    rows = open_npy(path)
    assert len(rows) == after
    np.testing.assert_array_equal(rows[:3], np.arange(6).reshape(3, 2))
