"""Comparing episodes and folders of them."""

from pathlib import Path

import numpy as np

from robossl.data import Episode

CONFIG = {"policy": "random", "noise": 0.5}


def assert_same_episode(one: Episode, other: Episode) -> None:
    for name in ("action", "reward", "state"):
        assert getattr(one, name).dtype == getattr(other, name).dtype
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for group in ("obs", "model_values"):
        first, second = getattr(one, group), getattr(other, group)
        assert {key: (value.shape, value.dtype) for key, value in first.items()} == {
            key: (value.shape, value.dtype) for key, value in second.items()
        }
        assert all(np.array_equal(first[key], second[key]) for key in first)
    names = ("terminated", "truncated", "info", "seed", "stream", "world", "episode")
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
