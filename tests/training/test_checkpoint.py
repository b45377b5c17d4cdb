import dataclasses
import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from training_toys import SPEC

import robossl.core.files as files
from robossl.core import ArraySpec, CorruptFileError, RenderSpec, UserError
from robossl.data import Replay
from robossl.training import manifest
from robossl.training.checkpoint import BEST, LAST, Checkpoint, Checkpoints, complete_checkpoints, find_checkpoint
from robossl.training.resume import checkpoint_to_resume


def tree(value):
    return {"weight": torch.full((3,), float(value)), "count": value}


def make_replay():
    return Replay(5000, {"x": ArraySpec(shape=(2,))}, 1, num_worlds=2)


def fill(replay, num_steps, start=0):
    nobody = np.zeros(2, bool)
    for i in range(start, start + num_steps):
        obs = {"x": np.full((2, 2), i, np.float32)}
        final = {"x": np.zeros((0, 2), np.float32)}
        replay.add(obs, np.zeros((2, 1), np.float32), np.ones(2, np.float32), nobody, nobody, np.array([], int), final)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_comes_back(tmp_path):
    path = Checkpoints(tmp_path, keep=2).save(20, {"agent": tree(1), "env": [1, 2]})
    checkpoint = Checkpoint(tmp_path / LAST)
    assert path.name == "000000020"
    assert checkpoint.step == 20
    assert torch.equal(checkpoint.tree("agent")["weight"], torch.ones(3))
    assert checkpoint.tree("env") == [1, 2]
    assert {"robossl", "python", "torch", "numpy"} <= set(checkpoint.versions)
    assert sorted(os.listdir(path)) == [
        "agent.json", "agent.safetensors", "done", "env.json", "env.safetensors", "manifest.json",
    ]  # fmt: skip


def test_another_environment_than_the_checkpoints_is_refused(tmp_path):
    spec = dataclasses.replace(SPEC, render=RenderSpec(renderer="raycast", version=1, cameras=()))
    checkpoint = Checkpoint(Checkpoints(tmp_path, keep=2, spec=spec).save(20, {"agent": tree(1)}))
    checkpoint.require_spec(spec)
    with pytest.raises(UserError, match=r"000000020: pictures were made with .*raycast.* and are now made with .*gl"):
        checkpoint.require_spec(dataclasses.replace(spec, render=dataclasses.replace(spec.render, renderer="gl")))


@pytest.mark.parametrize(("version", "is_refused"), [("0.1.9", False), ("0.2.0", True), ("1.1.0", True)])
def test_a_checkpoint_of_an_incompatible_version_is_not_resumed(tmp_path, monkeypatch, version, is_refused):
    monkeypatch.setattr(manifest, "VERSION", version)
    Checkpoints(tmp_path / "checkpoints", keep=2).save(20, {"agent": tree(1)})
    monkeypatch.setattr(manifest, "VERSION", "0.1.0")
    if not is_refused:
        assert checkpoint_to_resume(tmp_path, resume=True).step == 20
        return
    with pytest.raises(UserError, match=rf"000000020 was written by robossl {version} and this is 0\.1\.0"):
        checkpoint_to_resume(tmp_path, resume=True)


def test_the_newest_and_the_best_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(1, 6):
        checkpoints.save(step, {"agent": tree(step)}, best=step == 2)
    assert names(tmp_path) == ["000000002", "000000004", "000000005", "best", "last"]
    assert (tmp_path / LAST).resolve().name == "000000005"
    assert (tmp_path / BEST).resolve().name == "000000002"
    assert not (tmp_path / LAST).readlink().is_absolute()


def test_saving_a_step_twice_only_moves_the_pointers(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    path = checkpoints.save(1, {"agent": tree(1)})
    before = (path / "manifest.json").stat().st_mtime_ns
    checkpoints.save(1, {"agent": tree(1)}, best=True)
    assert (path / "manifest.json").stat().st_mtime_ns == before
    assert (tmp_path / BEST).resolve() == path.resolve()


def test_replay_shards_are_linked_and_hashed_once(tmp_path):
    replay, checkpoints = make_replay(), Checkpoints(tmp_path, keep=3)
    fill(replay, 1500)
    first = checkpoints.save(1, {}, replay=replay)
    fill(replay, 600, start=1500)
    second = checkpoints.save(2, {}, replay=replay)
    shared = set(names(first / "replay")) & set(names(second / "replay"))
    assert len(shared) == 1
    assert all(os.path.samefile(first / "replay" / name, second / "replay" / name) for name in shared)
    again = make_replay()
    Checkpoint(second).load_replay(again)
    assert len(again) == len(replay) == 2 * 2099
    third = Checkpoints(tmp_path, keep=3, resumed=second).save(3, {}, replay=again)
    assert all(os.path.samefile(second / "replay" / name, third / "replay" / name) for name in shared)
    batch = again.sample(100, torch.Generator().manual_seed(0))
    assert torch.equal(batch.next_obs["x"] - batch.obs["x"], torch.ones(100, 2))


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "pickle"])
@pytest.mark.parametrize("name", ["agent.safetensors", "agent.json", "replay.json", "replay/*"])
def test_a_damaged_file_is_named_and_the_older_checkpoint_reads(tmp_path, damage, name):
    replay, checkpoints = make_replay(), Checkpoints(tmp_path, keep=2)
    fill(replay, 5)
    checkpoints.save(1, {"agent": tree(1)}, replay=replay)
    fill(replay, 5, start=5)
    path = next(checkpoints.save(2, {"agent": tree(2)}, replay=replay).glob(name))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    {
        "truncate": lambda: path.write_bytes(content[:-1]),
        "flip": lambda: path.write_bytes(content),
        "delete": path.unlink,
        "pickle": lambda: path.write_bytes(pickle.dumps({"a": 1}).ljust(len(content), b"\0")),
    }[damage]()
    with pytest.raises(CorruptFileError) as caught:
        read_all(tmp_path / LAST)
    assert path.name in str(caught.value)
    assert str(caught.value).endswith(f"the checkpoint before it is {tmp_path / '000000001'}")
    assert "pickle" not in damage or "carries a pickle" in str(caught.value)
    assert read_all(tmp_path / "000000001")["count"] == 1


def read_all(path):
    checkpoint = Checkpoint(path)
    checkpoint.load_replay(make_replay())
    return checkpoint.tree("agent")


def test_a_changed_manifest_is_noticed(tmp_path):
    path = Checkpoints(tmp_path, keep=1).save(1, {"agent": tree(1)})
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "step": 2}))
    with pytest.raises(CorruptFileError, match=r"manifest.json is not what was written.*there is no older checkpoint"):
        Checkpoint(path)
    (path / "manifest.json").write_text("{")
    with pytest.raises(CorruptFileError, match=r"manifest.json"):
        Checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'{"a": 1}'])
def test_a_done_marker_without_the_hash_is_named(tmp_path, content):
    path = Checkpoints(tmp_path, keep=1).save(1, {"agent": tree(1)})
    (path / "done").write_bytes(content)
    with pytest.raises(CorruptFileError, match=f"its hash is not that in {path / 'done'}; there is no older"):
        Checkpoint(path)


def test_another_format_and_an_unfinished_checkpoint_are_told_apart_from_damage(tmp_path):
    path = Checkpoints(tmp_path, keep=1).save(1, {"agent": tree(1)})
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(UserError, match="has checkpoint format 99, this version of robossl reads format 1"):
        Checkpoint(path)
    (path / "done").unlink()
    with pytest.raises(UserError, match="not a complete checkpoint"):
        Checkpoint(path)


def test_a_tree_that_was_never_saved_is_named(tmp_path):
    path = Checkpoints(tmp_path, keep=1).save(1, {"agent": tree(1)})
    with pytest.raises(CorruptFileError, match=r"holds no learner\.safetensors"):
        Checkpoint(path).tree("learner")


@pytest.mark.parametrize("fails_at", range(12))
def test_a_full_disk_leaves_the_older_checkpoint_as_it_was(tmp_path, monkeypatch, fails_at):
    replay, checkpoints = make_replay(), Checkpoints(tmp_path, keep=1)
    fill(replay, 3)
    checkpoints.save(1, {"agent": tree(1)}, replay=replay)
    calls, fsync = [], os.fsync

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(UserError, match="No space left on device"):
            checkpoints.save(2, {"agent": tree(2)}, replay=replay)
    assert names(tmp_path) == ["000000001", "last"]
    assert read_all(tmp_path / LAST)["count"] == 1
    checkpoints.save(2, {"agent": tree(2)}, replay=replay)
    assert read_all(tmp_path / LAST)["count"] == 2


def test_what_a_crash_left_behind_is_cleared_and_never_read(tmp_path):
    leftover = tmp_path / ".000000007.tmp"
    leftover.mkdir()
    (leftover / "done").touch()
    (tmp_path / "000000009").mkdir()
    assert find_checkpoint(tmp_path) is None
    Checkpoints(tmp_path, keep=1).save(1, {})
    assert not leftover.exists()
    assert complete_checkpoints(tmp_path) == [tmp_path / "000000001"]


@pytest.mark.parametrize("fails", [True, False])
def test_a_checkpoint_that_is_written_anew_is_never_lost(tmp_path, monkeypatch, fails):
    checkpoints = Checkpoints(tmp_path, keep=1)
    path = checkpoints.save(10, {"agent": tree(1)}, best=True)
    if fails:
        rename = Path.rename
        refused = OSError(errno.EIO, "Input/output error")

        def refuse(self, target):
            if self.suffix == ".tmp":
                raise refused
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(UserError, match="cannot write checkpoint"):
            checkpoints.save(10, {"agent": tree(2)}, anew=True)
    else:  # a kill between two renames
        path.rename(tmp_path / ".000000010.old")
    assert Checkpoint(find_checkpoint(tmp_path)).tree("agent")["count"] == 1
    assert names(tmp_path) == ["000000010", "best", "last"]


def test_a_future_that_was_abandoned_is_replaced(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (1, 2):
        checkpoints.save(step, {"agent": tree(step)})
    resumed = Checkpoints(tmp_path, keep=3, resumed=tmp_path / "000000001")
    resumed.save(2, {"agent": tree(22)})
    assert Checkpoint(tmp_path / LAST).tree("agent")["count"] == 22
    assert names(tmp_path) == ["000000001", "000000002", "last"]


@pytest.mark.parametrize(("step", "is_best", "best"), [(3, False, 2), (4, False, 2), (5, False, 2), (5, True, 5)])
def test_the_best_of_a_future_that_was_abandoned_is_no_longer_the_runs(tmp_path, step, is_best, best):
    checkpoints = Checkpoints(tmp_path, keep=9)
    for number in (1, 2, 3, 4, 6):
        checkpoints.save(number, {"agent": tree(number)}, best=number == 4)
    resumed = Checkpoints(tmp_path, keep=9, resumed=tmp_path / "000000002")
    resumed.save(2, {"agent": tree(2)})
    assert find_checkpoint(tmp_path, BEST).name == "000000004"  # it has not gone on yet
    resumed.save(step, {"agent": tree(-step)}, best=is_best)
    assert [int(path.name) for path in complete_checkpoints(tmp_path)] == [1, 2, step]
    assert int(find_checkpoint(tmp_path, BEST).name) == best
    assert int(find_checkpoint(tmp_path, LAST).name) == step


def test_beyond_nine_digits_what_came_before_is_still_known(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=9)
    steps = (999_999_998, 999_999_999, 1_000_000_000, 1_000_000_001)
    for step in steps:
        checkpoints.save(step, {}, best=step == 999_999_999)
    Checkpoints(tmp_path, keep=2, resumed=tmp_path / "1000000000").save(1_000_000_002, {})
    assert [int(path.name) for path in complete_checkpoints(tmp_path)] == [steps[1], steps[2], 1_000_000_002]
    assert int(find_checkpoint(tmp_path, BEST).name) == steps[1]


def test_a_run_whose_links_were_followed_when_it_was_copied_goes_on(tmp_path):
    replay, checkpoints = make_replay(), Checkpoints(tmp_path / "a", keep=2)
    fill(replay, 3)
    checkpoints.save(1, {"agent": tree(1)}, replay=replay, best=True)
    copy = shutil.copytree(tmp_path / "a", tmp_path / "b")
    resumed = Checkpoints(copy, keep=2, resumed=Checkpoint(copy / LAST).path)
    resumed.go_on()
    for step in (1, 2):
        resumed.save(step, {"agent": tree(step)}, replay=replay, best=step == 2)
    assert names(copy) == ["000000001", "000000002", "best", "last"]
    assert (copy / BEST).is_symlink()
    assert read_all(copy / LAST)["count"] == 2


def test_going_on_from_another_folders_checkpoint_drops_nothing(tmp_path):
    elsewhere = Checkpoints(tmp_path / "a", keep=1).save(1, {})
    Checkpoints(tmp_path / "b", keep=9).save(2, {}, best=True)
    Checkpoints(tmp_path / "b", keep=9, resumed=elsewhere).save(3, {})
    assert names(tmp_path / "b") == ["000000002", "000000003", "best", "last"]
    assert find_checkpoint(tmp_path / "b", BEST).name == "000000002"


def test_a_checkpoint_that_is_dropped_is_never_there_by_half(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, {})
    with monkeypatch.context() as patch:  # as if it was killed as soon as the first file goes
        patch.setattr("robossl.training.checkpoint.shutil.rmtree", lambda *_, **__: None)
        checkpoints.save(2, {})
    assert complete_checkpoints(tmp_path) == [tmp_path / "000000002"]
    checkpoints.save(3, {})
    assert names(tmp_path) == ["000000003", "last"]


def test_a_checkpoint_is_found_from_every_place(tmp_path):
    run = tmp_path / "run"
    checkpoints = Checkpoints(run / "checkpoints", keep=2)
    checkpoints.save(1, {}, best=True)
    path = checkpoints.save(2, {}).resolve()
    assert find_checkpoint(run) == find_checkpoint(run / "checkpoints") == find_checkpoint(path) == path
    assert find_checkpoint(run, BEST).name == find_checkpoint(run, "1").name == "000000001"
    assert find_checkpoint(run, "3") is None
    (run / "checkpoints" / LAST).unlink()
    (run / "checkpoints" / BEST).unlink()
    assert find_checkpoint(run) == path
    assert find_checkpoint(run, BEST) is None
    assert find_checkpoint(Path(tmp_path / "elsewhere")) is None
