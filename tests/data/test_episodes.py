import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from robossl.core import ArraySpec, CorruptFileError, UserError
from robossl.data import EpisodeStore, EpisodeWriter, Replay, episode_writer

CONFIG = {"policy": "random", "noise": 0.5}


def assert_same_episode(one, other):
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


@pytest.fixture
def episodes(make_episode):
    lengths = [1, 7, 3, 12, 5]
    return [make_episode(i, 10 + i, length, terminated=i % 2 == 0) for i, length in enumerate(lengths)]


@pytest.fixture
def written(tmp_path, spec, episodes):
    with EpisodeWriter(tmp_path / "data", spec, CONFIG) as writer:
        assert [writer.add(episode) for episode in episodes] == [0, 1, 2, 3, 4]
    return tmp_path / "data"


@pytest.fixture
def _tiny_shards(monkeypatch):
    monkeypatch.setattr(episode_writer, "FIRST_SHARD_BYTES", 24 * 10)
    monkeypatch.setattr(episode_writer, "LAST_SHARD_BYTES", 24 * 20)


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_written_is_read(written, spec, episodes):
    store = EpisodeStore(written)
    assert (len(store), store.spec, store.config) == (5, spec, CONFIG)
    for index, episode in enumerate(episodes):
        assert_same_episode(store[index], episode)
    assert_same_episode(store[-1], episodes[4])
    assert store.verify() == []
    assert not store[0].obs["rgb_front"].flags.writeable


def test_written_read_and_written_again_is_the_same_bytes(written, tmp_path, spec):
    store = EpisodeStore(written)
    with EpisodeWriter(tmp_path / "again", spec, CONFIG) as writer:
        for index in range(len(store)):
            writer.add(store[index])
    assert files_of(tmp_path / "again") == files_of(written)


@pytest.mark.usefixtures("_tiny_shards")
def test_episodes_lie_whole_in_growing_shards(tmp_path, spec, make_episode):
    episodes = [make_episode(0, i, 1 + 7 * i % 30) for i in range(40)]
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        for episode in episodes:
            writer.add(episode)
    store = EpisodeStore(tmp_path)
    for index, episode in enumerate(episodes):
        assert_same_episode(store[index], episode)
    rows = [len(np.load(path)) for path in sorted((tmp_path / "shards" / "reward").iterdir())]
    assert rows[0] == 10
    assert max(rows) == 31
    assert min(rows[1:]) == 20


@pytest.mark.parametrize("num_before", [1, 2, 4])
def test_appending_equals_writing_at_once(tmp_path, written, spec, episodes, num_before):
    for part in (episodes[:num_before], episodes[num_before:]):
        with EpisodeWriter(tmp_path / "parts", spec, CONFIG) as writer:
            for episode in part:
                writer.add(episode)
    assert files_of(tmp_path / "parts") == files_of(written)


def test_an_unfinished_line_is_reported_and_dropped_by_appending(written, spec, episodes):
    index = written / "index.jsonl"
    whole = index.read_bytes()
    index.write_bytes(whole[:-20])
    store = EpisodeStore(written)
    assert len(store) == 4
    assert store.verify() == [f"{index}: the last line is unfinished; appending drops it"]
    with EpisodeWriter(written, spec, CONFIG) as writer:
        assert writer.add(episodes[4]) == 4
    assert index.read_bytes() == whole
    assert EpisodeStore(written).verify() == []


def test_a_damaged_line_is_named_and_the_others_stay_readable(written, episodes):
    index = written / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"length": 7', b'"length": 6')
    index.write_bytes(b"".join(lines))
    store = EpisodeStore(written)
    with pytest.raises(CorruptFileError, match=r"index\.jsonl: line 2 is damaged"):
        store[1]
    assert_same_episode(store[2], episodes[2])
    assert store.verify() == [f"{index}: line 2 is damaged"]
    assert store.summary()["episodes"] == 4


def test_changed_rows_are_named_with_their_episode(written, episodes):
    shard = written / "shards" / "obs" / "proprio" / "00000.npy"
    rows = np.load(shard, mmap_mode="r+")
    rows[4, 1] += 1
    rows.flush()
    store = EpisodeStore(written)
    assert store.verify() == [f"{shard}: the rows of episode 1 are not what was written"]
    with pytest.raises(CorruptFileError, match="rows of episode 1"):
        Replay.from_episodes(store)
    assert len(Replay.from_episodes(store, split=[0, 2, 3, 4])) == 21
    assert_same_episode(store[0], episodes[0])


@pytest.mark.usefixtures("_tiny_shards")
def test_a_truncated_shard_is_named_and_appending_leaves_it_alone(tmp_path, spec, make_episode):
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        for number in range(4):
            writer.add(make_episode(0, number, 8))
    shard = tmp_path / "shards" / "action" / "00001.npy"
    shard.write_bytes(shard.read_bytes()[:-9])
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        writer.add(make_episode(0, 4, 8))
    store = EpisodeStore(tmp_path)
    (damage,) = store.verify()
    assert damage.startswith(f"{shard} is truncated or changed: ")
    assert damage.endswith("(2 episodes)")
    for number in (0, 3, 4):
        assert_same_episode(store[number], make_episode(0, number, 8))


class Bomb:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: np.save(path, np.array([Bomb()] * 50), allow_pickle=True), "pickled Python objects: refused"),
        (lambda path: path.write_bytes(pickle.dumps(Bomb())), r"not a \.npy file"),
        (lambda path: path.write_bytes(b""), r"not a \.npy file"),
        (lambda path: path.unlink(), "cannot be read: No such file"),
    ],
)
def test_what_is_not_a_plain_array_is_refused(written, write, message):
    shard = written / "shards" / "action" / "00000.npy"
    write(shard)
    with pytest.raises(CorruptFileError, match=f"{shard}.*{message}"):
        EpisodeStore(written)[0]


def test_another_format_version_is_refused(written, spec):
    path = written / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    for open_it in (EpisodeStore, lambda folder: EpisodeWriter(folder, spec, CONFIG)):
        with pytest.raises(UserError, match="format version 99; this robossl reads version 1"):
            open_it(written)


def test_what_is_not_a_dataset_is_left_alone(tmp_path, spec):
    with pytest.raises(UserError, match=r"not a dataset: it has no dataset\.json"):
        EpisodeStore(tmp_path)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"neither empty nor a dataset: it holds 'thesis\.txt'"):
        EpisodeWriter(tmp_path, spec, CONFIG)
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(UserError, match="does not describe a dataset"):
        EpisodeStore(tmp_path)


def test_episodes_of_another_environment_are_not_mixed_in(written, spec):
    wider = {**spec.observation, "proprio": ArraySpec(shape=(4,))}
    with pytest.raises(UserError, match=r"'proprio' was float32\[3\] and is now float32\[4\]"):
        EpisodeWriter(written, replace(spec, observation=wider), CONFIG)
    with pytest.raises(UserError, match="another environment: its control_hz differs"):
        EpisodeWriter(written, replace(spec, control_hz=5.0), CONFIG)
    with EpisodeWriter(written, spec, CONFIG) as writer:
        assert writer.num_episodes == 5


def test_only_one_writer_works_at_a_time(written, spec):
    with EpisodeWriter(written, spec, CONFIG), pytest.raises(UserError, match="being written by another process"):
        EpisodeWriter(written, spec, CONFIG)
    EpisodeWriter(written, spec, CONFIG).close()


def changed(episode, **fields):
    return replace(episode, **fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: changed(e, truncated=True, terminated=True), "both terminated and truncated"),
        (lambda e: changed(e, action=e.action * 50), r"outside \[-1, 1\]"),
        (lambda e: changed(e, action=e.action[:-1]), r"action|observation"),
        (lambda e: changed(e, reward=e.reward * np.float32("nan")), "reward is not finite"),
        (lambda e: changed(e, reward=e.reward.astype(np.float64)), r"reward must be float32\[7\], got float64"),
        (lambda e: changed(e, obs={"proprio": e.obs["proprio"]}), r"has observations \['proprio'\]"),
        (lambda e: changed(e, obs={**e.obs, "proprio": e.obs["proprio"][1:]}), r"'proprio' must be float32\[8, 3\]"),
        (lambda e: changed(e, info={"metric/distance": float("inf")}), "info is not finite"),
        (lambda e: changed(e, state=e.state[:, :2]), "state has rows float64"),
    ],
)
def test_a_wrong_episode_is_refused_and_nothing_is_written(written, spec, episodes, change, message):
    before = files_of(written)
    with EpisodeWriter(written, spec, CONFIG) as writer, pytest.raises(ValueError, match=message):
        writer.add(change(episodes[1]))
    assert files_of(written) == before


def test_a_simulator_without_a_state_is_fine(tmp_path, spec, episodes):
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        writer.add(changed(episodes[1], state=np.zeros((8, 0))))
    assert EpisodeStore(tmp_path)[0].state.shape == (8, 0)


def test_the_summary_counts_episodes_and_outcomes(written, episodes):
    summary = EpisodeStore(written).summary()
    assert (summary["env"], summary["episodes"], summary["steps"]) == ("test/Codes-v0", 5, 28)
    assert summary["success_rate"] == pytest.approx(2 / 5)
    assert summary["return_mean"] == pytest.approx(np.mean([episode.reward.sum() for episode in episodes]), abs=1e-6)
    assert summary["keys"] == {
        "rgb_front": "uint8[2, 2, 3]",
        "depth_front": "float32[2, 2, 1]",
        "proprio": "float32[3]",
    }
    assert summary["bytes"] == sum(len(content) for content in files_of(written).values())
    json.dumps(summary, allow_nan=False)


def test_a_dataset_without_episodes_has_a_summary(tmp_path, spec):
    EpisodeWriter(tmp_path, spec, CONFIG).close()
    assert EpisodeStore(tmp_path).summary()["return_mean"] is None


def test_pictures_reach_the_replay_channels_first(written):
    replay = Replay.from_episodes(EpisodeStore(written), keys=["rgb_front"], split=[3])
    assert replay.observation["rgb_front"].shape == (3, 2, 2)
    assert len(replay) == 12


def test_a_line_that_does_not_fit_is_taken_back(written, spec, episodes, monkeypatch):
    before = (written / "index.jsonl").read_bytes()
    with EpisodeWriter(written, spec, CONFIG) as writer:
        index = writer._index

        class Full:
            def __getattr__(self, name):
                return getattr(index, name)

            def write(self, line):
                return index.write(line[:10])

        monkeypatch.setattr(writer, "_index", Full())
        with pytest.raises(UserError, match=r"index\.jsonl: only 10 of"):
            writer.add(episodes[0])
        assert (written / "index.jsonl").read_bytes() == before
        monkeypatch.setattr(writer, "_index", index)
        assert writer.add(episodes[0]) == 5
    assert EpisodeStore(written).verify() == []


CHILD = """
import resource, sys
from pathlib import Path
from robossl.core import UserError
from robossl.data import EpisodeStore, EpisodeWriter, episode_writer

episode_writer.FIRST_SHARD_BYTES = episode_writer.LAST_SHARD_BYTES = 24 * 40
source, folder, limit = EpisodeStore(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
with EpisodeWriter(folder, source.spec, {}) as writer:
    if limit:
        writer.add(source[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    print("ready", flush=True)
    try:
        while True:
            writer.add(source[writer.num_episodes % 5])
    except UserError as error:
        print(error)
        sys.exit(3)
"""


def test_a_full_disk_ends_in_one_line_and_keeps_what_was_there(tmp_path, written, episodes):
    command = [sys.executable, "-c", CHILD, str(written), str(tmp_path / "full"), "700"]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 3, child.stderr
    assert child.stdout.splitlines()[-1].startswith(f"cannot write {tmp_path / 'full'}")
    store = EpisodeStore(tmp_path / "full")
    assert store.verify() == []
    assert_same_episode(store[0], episodes[0])


def test_a_killed_writer_leaves_whole_episodes(tmp_path, written, spec, episodes):
    command = [sys.executable, "-c", CHILD, str(written), str(tmp_path / "killed"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.3)
        child.send_signal(signal.SIGKILL)
    store = EpisodeStore(tmp_path / "killed")
    assert len(store) > 10
    assert [damage for damage in store.verify() if "unfinished" not in damage] == []
    with EpisodeWriter(tmp_path / "killed", spec, {}) as writer:
        number = writer.add(episodes[2])
    assert number == len(store)
    assert_same_episode(EpisodeStore(tmp_path / "killed")[number], episodes[2])
