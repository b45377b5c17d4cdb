"""Datasets that an earlier robossl wrote stay readable: `format_2` is one of its."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from robossl.core import UserError
from robossl.data import EpisodeStore, EpisodeWriter

OLD = Path(__file__).parent / "format_2"
SHA256 = "118425e9fb16adae138e346354766d93c3078cb821122be9e5c8b169b43355fc"
"""Of all arrays, as the robossl that wrote them read them."""


def digest(store: EpisodeStore) -> str:
    found = hashlib.sha256()
    for index in range(len(store)):
        episode = store[index]
        model = [episode.model_values[field] for field in sorted(episode.model_values)]
        arrays = [episode.obs[key] for key in sorted(episode.obs)]
        for values in (*arrays, episode.action, episode.reward, episode.state, *model):
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def test_format_2_is_read_to_the_last_bit_and_copied_into_the_present_one(tmp_path: Path) -> None:
    old = EpisodeStore(OLD)
    assert old.verify() == []
    assert digest(old) == SHA256
    with EpisodeWriter(tmp_path / "new", old.spec, old.config) as writer:
        for index in range(len(old)):
            writer.add(old[index])
    new = EpisodeStore(tmp_path / "new")
    assert digest(new) == SHA256
    assert (new.folder / "packed.bin").stat().st_size < 0.8 * (OLD / "packed.bin").stat().st_size


def test_nothing_is_added_to_format_2(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(OLD, folder)
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    old = EpisodeStore(folder)
    with pytest.raises(
        UserError, match=f"^{folder} has an older format, version 2: it can be read, but nothing is added"
    ):
        EpisodeWriter(folder, old.spec, old.config)
    for name, content in before.items():
        assert next(folder.rglob(name)).read_bytes() == content
    assert digest(EpisodeStore(folder)) == SHA256
