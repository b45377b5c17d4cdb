"""Damaged, foreign and unfinished datasets: named in one line, and nothing else is lost."""

import errno
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from episode_checks import CONFIG, assert_same_episode

from robossl.core import CorruptFileError, UserError
from robossl.data import EpisodeStore, EpisodeWriter, Replay


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
    lines[1] = lines[1].replace(b'"length":7', b'"length":6')
    index.write_bytes(b"".join(lines))
    store = EpisodeStore(written)
    with pytest.raises(CorruptFileError, match=r"index\.jsonl: line 2 is damaged"):
        store[1]
    assert_same_episode(store[2], episodes[2])
    assert store.verify() == [f"{index}: line 2 is damaged"]
    assert store.summary()["episodes"] == 4


def test_changed_rows_are_named_with_their_episode(written, episodes):
    shard = written / "shards" / "rgb_front" / "00000.npy"
    rows = np.load(shard, mmap_mode="r+")
    rows[4, 1] += 1
    rows.flush()
    store = EpisodeStore(written)
    assert store.verify() == [f"{shard}: the rows of episode 1 are not what was written"]
    with pytest.raises(CorruptFileError, match="rows of episode 1"):
        Replay.from_episodes(store)
    assert len(Replay.from_episodes(store, split=[0, 2, 3, 4])) == 21
    assert_same_episode(store[0], episodes[0])


def test_a_changed_or_short_block_is_named_and_the_others_stay_readable(written, spec, episodes):
    path = written / "packed.bin"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content[:-1])
    store = EpisodeStore(written)
    (damage,) = store.verify()
    assert damage.startswith(f"{path} ends before byte {len(content)}")
    path.write_bytes(content)
    assert EpisodeStore(written).verify() == [f"{path}: the block of episode 4 is not what was written"]
    assert_same_episode(EpisodeStore(written)[3], episodes[3])
    with EpisodeWriter(written, spec, CONFIG) as writer:
        assert writer.add(episodes[4]) == 5
    assert_same_episode(EpisodeStore(written)[5], episodes[4])


def test_blocks_that_are_gone_are_named_and_nothing_is_appended(written, spec):
    (written / "packed.bin").unlink()
    index = (written / "index.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"packed\.bin cannot be opened: No such file or directory; index.jsonl names"):
        EpisodeWriter(written, spec, CONFIG)
    assert (written / "index.jsonl").read_bytes() == index


@pytest.mark.parametrize(
    "damage",
    [
        lambda index, lines: index.unlink(),
        lambda index, lines: index.write_bytes(b""),
        lambda index, lines: index.write_bytes(b"".join(lines[:2])),
        lambda index, lines: index.write_bytes(b"".join(lines[:2]) + lines[2][:30]),
        lambda index, lines: index.write_bytes(b"".join(lines[:4]) + b"x" + lines[4]),
    ],
    ids=["gone", "empty", "short", "cut", "last line damaged"],
)
def test_what_lost_lines_named_is_told_and_never_overwritten(written, spec, episodes, damage):
    index, packed = written / "index.jsonl", written / "packed.bin"
    content = index.read_bytes()
    damage(index, content.splitlines(keepends=True))
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    told = f"{index} does not name the last .* bytes of packed.bin: lines are lost; put it back, or,"
    assert any(re.match(told, line) for line in EpisodeStore(written).verify())
    with pytest.raises(CorruptFileError, match=f"^nothing is added: {told}") as caught:
        EpisodeWriter(written, spec, CONFIG)
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before
    _, end, path = re.search("`(.*)`", str(caught.value))[1].removeprefix("truncate ").split()
    os.truncate(path, int(end))
    with EpisodeWriter(written, spec, CONFIG) as writer:
        number = writer.add(episodes[0])
    assert_same_episode(EpisodeStore(written)[number], episodes[0])
    assert packed.stat().st_size > int(end)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda lines: lines[1:], r"lines before line 1 are lost, which named [0-9,]+ bytes; put it back$"),
        (lambda lines: lines[:1] + lines[3:], "lines before line 2 are lost"),
        (lambda lines: [*lines[:2], lines[0], *lines[2:]], "line 3 is not in its place"),
        (lambda lines: [*lines[:3], lines[4], lines[3]], "lines before line 4 are lost"),
    ],
    ids=["first", "middle", "twice", "swapped"],
)
def test_lines_that_are_lost_before_others_are_told_and_nothing_is_added(written, spec, damage, told):
    index = written / "index.jsonl"
    index.write_bytes(b"".join(damage(index.read_bytes().splitlines(keepends=True))))
    before = index.read_bytes()
    (line,) = EpisodeStore(written).verify()
    assert re.match(f"{index}: {told}", line)
    with pytest.raises(CorruptFileError, match=f"^nothing is added: {index}: {told}"):
        EpisodeWriter(written, spec, CONFIG)
    assert index.read_bytes() == before
    assert len([EpisodeStore(written)[i] for i in range(len(EpisodeStore(written)))]) == before.count(b"\n")


def test_behind_a_damaged_line_is_added_and_the_others_stay_in_their_places(written, spec, episodes):
    index = written / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join([lines[0], b"x\n", *lines[2:]]))
    with EpisodeWriter(written, spec, CONFIG) as writer:
        writer.add(episodes[0])
    assert EpisodeStore(written).verify() == [f"{index}: line 2 is damaged"]


@pytest.mark.usefixtures("_tiny_shards")
def test_a_truncated_shard_is_named_and_appending_leaves_it_alone(tmp_path, spec, make_episode):
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        for number in range(4):
            writer.add(make_episode(0, number, 8))
    shard = tmp_path / "shards" / "rgb_front" / "00001.npy"
    shard.write_bytes(shard.read_bytes()[:-9])
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        writer.add(make_episode(0, 4, 8))
    store = EpisodeStore(tmp_path)
    (damage,) = store.verify()
    assert damage.startswith(f"{shard} is truncated or changed: ")
    assert damage.endswith("(2 episodes)")
    for number in (0, 3, 4):
        assert_same_episode(store[number], make_episode(0, number, 8))


def change_header(path, old, new):
    content = path.read_bytes()
    assert old in content[:128]
    path.write_bytes(content[:128].replace(old, new) + content[128:])


class Bomb:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: np.save(path, np.array([Bomb()] * 50), allow_pickle=True), "pickled Python objects: refused"),
        (lambda path: path.write_bytes(pickle.dumps(Bomb())), r"not a \.npy file"),
        (lambda path: path.write_bytes(b""), r"not a \.npy file"),
        (lambda path: change_header(path, b"(", b"i"), "its header is damaged"),
        (lambda path: change_header(path, b"}", b"="), "its header is damaged"),
        (lambda path: change_header(path, b"'|u1'", b"'|U0'"), "its header is damaged"),
        (lambda path: change_header(path, b"NUMPY\1", b"NUMPY\2"), "its header is damaged"),
        (lambda path: path.unlink(), "cannot be read: No such file"),
    ],
)
def test_what_is_not_a_plain_array_is_refused(written, write, message):
    shard = written / "shards" / "rgb_front" / "00000.npy"
    write(shard)
    with pytest.raises(CorruptFileError, match=f"{shard}.*{message}"):
        EpisodeStore(written)[0]


@pytest.mark.parametrize(
    ("version", "advice"), [(1, "collect it anew"), (99, "read it with the robossl that wrote it")]
)
def test_another_format_version_is_refused_with_what_to_do(written, spec, version, advice):
    path = written / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": version}))
    for open_it in (EpisodeStore, lambda folder: EpisodeWriter(folder, spec, CONFIG)):
        with pytest.raises(
            UserError, match=f"format version {version}; this robossl reads versions 2 and 3: {advice}$"
        ):
            open_it(written)


def test_what_is_not_a_dataset_is_left_alone(tmp_path, spec):
    with pytest.raises(UserError, match=r"not a dataset: it has no dataset\.json"):
        EpisodeStore(tmp_path)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"neither empty nor a dataset: it holds 'thesis\.txt'"):
        EpisodeWriter(tmp_path, spec, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(UserError, match="does not describe a dataset"):
        EpisodeStore(tmp_path)


def test_a_dataset_that_another_writer_begins_meanwhile_is_no_strangers(tmp_path, spec, monkeypatch):
    listed, first = Path.iterdir, []

    def begun_first(folder):
        monkeypatch.setattr(Path, "iterdir", listed)
        first.append(EpisodeWriter(folder, spec, CONFIG))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", begun_first)
    with pytest.raises(UserError, match=f"^{tmp_path} is being written by another process$"):
        EpisodeWriter(tmp_path, spec, CONFIG)
    first[0].close()


def test_a_dataset_is_written_on_a_file_system_without_locks_too(tmp_path, spec, episodes, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        writer.add(episodes[0])
    message = f"{tmp_path}/.lock cannot be locked (No locks available): start no second process there\n"
    assert capsys.readouterr().err == message
    assert EpisodeStore(tmp_path).verify() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("spec"), "it must be an object, got None"),
        (lambda data: data.update(spec=[1, 2]), r"it must be an object, got \[1, 2\]"),
        (lambda data: data["spec"].pop("control_hz"), "key 'control_hz' is missing"),
        (lambda data: data["spec"].update(control_hz="4"), "key 'control_hz' must be a number, got '4'"),
        (lambda data: data["spec"].update(metrics="speed"), "key 'metrics' must be a list, got 'speed'"),
        (lambda data: data["spec"]["action"].update(dtype="flaot"), "action: there is no dtype 'flaot'"),
        (lambda data: data["spec"]["action"].update(shape=["2"]), r"key 'action.shape\[0\]' must be an integer"),
        (lambda data: data["spec"]["action"].update(low="deep"), "key 'action.low' must be a number, got 'deep'"),
        (lambda data: data["spec"]["action"].update(colour=1), "unknown key 'action.colour'"),
        (lambda data: data.pop("config"), "key 'config' must be an object, got None"),
    ],
)
def test_a_damaged_description_is_named(written, spec, change, message):
    path = written / "dataset.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    for open_it in (EpisodeStore, lambda folder: EpisodeWriter(folder, spec, CONFIG)):
        with pytest.raises(UserError, match=f"^{path}: {message}"):
            open_it(written)


def described_without_checksum(folder):
    """Returns what an older robossl would have written into dataset.json."""
    data = json.loads((folder / "dataset.json").read_text())
    del data["check"]
    return data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["config"].update(policy="another"),
        lambda data: data["config"].update(more=1),
        lambda data: data["spec"].update(control_hz=5.0),
        lambda data: data.update(format_version=2),
        lambda data: data.update(check=data["check"] + 1),
        lambda data: data.update(chfck=data.pop("check")),
    ],
)
def test_a_description_that_was_changed_is_named(written, spec, change):
    path = written / "dataset.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    for open_it in (EpisodeStore, lambda folder: EpisodeWriter(folder, spec, CONFIG)):
        with pytest.raises(CorruptFileError, match=f"^{path}.*(its checksum differs|unknown key 'chfck')$"):
            open_it(written)


def test_a_description_without_a_checksum_is_read_and_added_to(written, spec, episodes):
    (written / "dataset.json").write_text(json.dumps(described_without_checksum(written)))
    with EpisodeWriter(written, spec, CONFIG) as writer:
        writer.add(episodes[0])
    assert EpisodeStore(written).verify() == []
    assert len(EpisodeStore(written)) == 6


def test_a_description_of_other_columns_is_named(written):
    path = written / "dataset.json"
    data = described_without_checksum(written)
    del data["spec"]["observation"]["proprio"]
    path.write_text(json.dumps(data))
    with pytest.raises(CorruptFileError, match=f"{path} and index.jsonl do not agree about 'proprio'"):
        EpisodeStore(written)[0]


def test_a_description_of_other_vectors_is_named(written):
    path = written / "dataset.json"
    data = described_without_checksum(written)
    data["spec"]["observation"]["proprio"]["shape"] = [4]
    path.write_text(json.dumps(data))
    message = (
        r"packed.bin do not agree about episode 0: observation 'proprio' must be float32\[2, 4\], got float32\[2, 3\]"
    )
    with pytest.raises(CorruptFileError, match=f"{path} and {message}"):
        EpisodeStore(written)[0]


@pytest.mark.usefixtures("_tiny_shards")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.view(np.int8), r"has rows int8\[2, 2, 3\], not uint8\[2, 2, 3\]"),
        (lambda rows: rows.astype(">f4"), r"has rows >f4\[2, 2, 3\], not uint8\[2, 2, 3\]"),
        (lambda rows: rows.reshape(-1), r"has rows uint8\[\], not uint8\[2, 2, 3\]"),
        (lambda rows: rows[0, 0, 0, 0], r"has rows uint8\[\], not uint8\[2, 2, 3\]"),
    ],
)
def test_a_shard_of_another_type_is_named_and_the_others_stay_readable(tmp_path, spec, make_episode, change, message):
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        for number in range(4):
            writer.add(make_episode(0, number, 8))
    shard = tmp_path / "shards" / "rgb_front" / "00001.npy"
    np.save(shard, change(np.load(shard)))
    store = EpisodeStore(tmp_path)
    with pytest.raises(CorruptFileError, match=f"^{shard} {message}$"):
        store[1]
    for number in (0, 3):
        assert_same_episode(store[number], make_episode(0, number, 8))


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
            writer.add(episodes[3])
        assert (written / "index.jsonl").read_bytes() == before
        monkeypatch.setattr(writer, "_index", index)
        assert writer.add(episodes[0]) == 5  # shorter: nothing of the one that failed is left behind it
    assert EpisodeStore(written).verify() == []
    EpisodeWriter(written, spec, CONFIG).close()


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
