import os

import numpy as np
import pytest
import torch

from robossl.core import CorruptFileError, UserError
from robossl.data import replay_files


@pytest.fixture(autouse=True)
def _small_files(monkeypatch):
    monkeypatch.setattr(replay_files, "SLOTS_PER_FILE", 16)


@pytest.fixture
def build(make_worlds, make_replay):
    def make(num_steps, capacity=100):
        worlds, replay = make_worlds(3), make_replay(capacity, 3, frame_stack=2, n_step=2)
        worlds.run(replay, num_steps)
        return worlds, replay

    return make


def folder(path, name):
    (path / name).mkdir()
    return path / name


def assert_same_batches(one, other):
    first, second = (replay.sample_windows(64, 4, torch.Generator().manual_seed(3)) for replay in (one, other))
    for name in ("action", "reward", "terminated", "mask"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert all(torch.equal(first.obs[key], second.obs[key]) for key in first.obs)
    first, second = (replay.sample(64, torch.Generator().manual_seed(3)) for replay in (one, other))
    assert torch.equal(first.discount, second.discount)
    assert all(torch.equal(first.next_obs[key], second.next_obs[key]) for key in first.next_obs)
    assert len(one) == len(other)


@pytest.mark.parametrize("num_steps", [1, 2, 10, 26, 27, 150])
def test_a_loaded_replay_continues_as_if_nothing_had_happened(tmp_path, build, make_replay, num_steps):
    worlds, replay = build(num_steps)
    meta = replay.save(tmp_path)
    loaded = make_replay(100, 3, frame_stack=2, n_step=2)
    loaded.load(tmp_path, meta)
    if len(replay):
        assert_same_batches(replay, loaded)
    state = worlds.rng.bit_generator.state, list(worlds.step), list(worlds.episode)
    worlds.run(replay, 30)
    worlds.rng.bit_generator.state, worlds.step, worlds.episode = state
    worlds.run(loaded, 30)
    assert_same_batches(replay, loaded)


def test_an_empty_replay_is_saved_and_loaded(tmp_path, make_replay):
    replay = make_replay(100, 3)
    meta = replay.save(tmp_path)
    assert meta["files"] == []
    make_replay(100, 3).load(tmp_path, meta)


def test_sealed_files_are_shared_and_the_youngest_slots_are_written_anew(tmp_path, build):
    worlds, replay = build(20)
    first, second = folder(tmp_path, "1"), folder(tmp_path, "2")
    meta_1 = replay.save(first)
    worlds.run(replay, 5)
    meta_2 = replay.save(second, first)
    sealed = [entry["name"] for entry in meta_1["files"] if entry in meta_2["files"]]
    assert len(sealed) == (meta_1["ring"]["head"] - 6) // 16
    assert all((first / name).samefile(second / name) for name in sealed)
    young = {entry["name"] for entry in meta_2["files"]} - set(sealed)
    assert all(os.stat(second / name).st_nlink == 1 for name in young)
    assert {path.name for path in second.iterdir()} == {entry["name"] for entry in meta_2["files"]}


def test_a_checkpoint_stays_whole_when_the_one_before_is_deleted(tmp_path, build, make_replay):
    worlds, replay = build(40)
    first, second, third = (folder(tmp_path, name) for name in "123")
    replay.save(first)
    worlds.run(replay, 40)
    replay.save(second, first)
    for path in first.iterdir():
        path.unlink()
    meta = replay.save(third, first)
    for path in second.iterdir():
        path.write_bytes(b"")
    meta = replay.save(folder(tmp_path, "4"), second)
    loaded = make_replay(100, 3, frame_stack=2, n_step=2)
    loaded.load(tmp_path / "4", meta)
    assert_same_batches(replay, loaded)


def test_overwritten_files_are_no_longer_named(tmp_path, build, make_replay):
    worlds, replay = build(10)
    previous = None
    for number in range(12):
        current = folder(tmp_path, str(number))
        meta = replay.save(current, previous)
        oldest = max(0, meta["ring"]["head"] - 100)
        stops = [entry["first"] + entry["count"] for entry in meta["files"]]
        assert min(stops) > oldest
        assert sum(entry["count"] for entry in meta["files"]) <= 100 + 16
        loaded = make_replay(100, 3, frame_stack=2, n_step=2)
        loaded.load(current, meta)
        assert_same_batches(replay, loaded)
        previous = current
        worlds.run(replay, 9)


def test_a_loaded_replay_shares_the_files_it_came_from(tmp_path, build, make_replay):
    _, replay = build(30)
    first, second = folder(tmp_path, "1"), folder(tmp_path, "2")
    meta = replay.save(first)
    loaded = make_replay(100, 3, frame_stack=2, n_step=2)
    loaded.load(first, meta)
    assert loaded.save(second, first) == meta
    assert sum(os.stat(path).st_nlink == 2 for path in second.iterdir()) == len(meta["files"]) - 1


def test_files_of_another_replay_are_not_mixed_in(tmp_path, build, make_worlds, make_replay):
    _, replay = build(30)
    first, second = folder(tmp_path, "1"), folder(tmp_path, "2")
    worlds, other = make_worlds(3, seed=9), make_replay(100, 3, frame_stack=2, n_step=2)
    worlds.run(other, 30)
    other.save(first)
    meta = replay.save(second, first)
    loaded = make_replay(100, 3, frame_stack=2, n_step=2)
    loaded.load(second, meta)
    assert_same_batches(replay, loaded)


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def damage_flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [(damage_truncate, "truncated"), (damage_flip, "hash differs"), (lambda path: path.unlink(), "cannot be read")],
)
def test_a_damaged_file_is_named(tmp_path, build, make_replay, damage, message):
    _, replay = build(20)
    meta = replay.save(tmp_path)
    damage(tmp_path / meta["files"][1]["name"])
    with pytest.raises(CorruptFileError, match=f"{meta['files'][1]['name']}.*{message}"):
        make_replay(100, 3, frame_stack=2, n_step=2).load(tmp_path, meta)


def test_a_replay_of_another_size_is_refused(tmp_path, build, make_replay):
    _, replay = build(5)
    meta = replay.save(tmp_path)
    with pytest.raises(UserError, match="saved with capacity 100, not 120"):
        make_replay(120, 3, frame_stack=2).load(tmp_path, meta)


def test_ending_episodes_changes_no_shared_file(tmp_path, build, make_replay):
    worlds, replay = build(20)
    first, second = folder(tmp_path, "1"), folder(tmp_path, "2")
    replay.save(first)
    replay.end_episodes()
    for world in range(3):
        worlds.begin(world, worlds.episode[world] + 1)
    worlds.run(replay, 20)
    loaded = make_replay(100, 3, frame_stack=2, n_step=2)
    loaded.load(second, replay.save(second, first))
    assert_same_batches(replay, loaded)


def test_a_full_disk_is_one_clear_line(tmp_path, build, monkeypatch):
    _, replay = build(20)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        replay.save(tmp_path)


def test_the_bytes_of_a_file_depend_on_the_slots_alone(tmp_path, build):
    names = []
    for number in range(2):
        _, replay = build(20)
        names.append([entry["name"] for entry in replay.save(folder(tmp_path, str(number)))["files"]])
    assert names[0] == names[1]
    assert np.unique(names[0]).size == len(names[0])
