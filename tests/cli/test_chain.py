"""The whole chain on the real environment, small: collect, pretrain, train, kill, resume, evaluate, record."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from robossl.cli.main import main
from robossl.cli.presets import load_preset
from robossl.cli.settings import PretrainSettings, TrainSettings
from robossl.core import UserError
from robossl.nets import EncoderConfig, MultimodalEncoder, load_encoder, save_encoder
from robossl.training.checkpoint import Checkpoint, find_checkpoint
from robossl.training.interrupt import Interrupted
from robossl.training.run_folder import only_writer
from robossl.training.stopwatch import Stopwatch

PRESET = """
extends: quickstart
env: {num_worlds: 8, num_threads: 1}
num_threads: 1
pretrain:
  collect: {steps: 120}
  pretrain: {updates: 4, batch_size: 16, probe_every: null, checkpoint_every: 2}
agent: {kind: ppo, n_steps: 8, batch_size: 32, n_epochs: 1}
loop: {n_timesteps: 960, log_every: 128, eval_every: 512, checkpoint_every: 128}
evaluation: {episodes: 4, video_height_px: null, num_latents: null}
test_episodes: 4
"""


KILLED = """
import importlib, os, signal, sys
from robossl.cli.main import main
module, _, method = sys.argv[1].partition(":")
owner, name = method.split(".")
owner, left = getattr(importlib.import_module(module), owner), [int(sys.argv[2])]
original = getattr(owner, name)
def killing(self, *arguments, **options):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, *arguments, **options)
setattr(owner, name, killing)
main(sys.argv[3:])
"""


@dataclass
class Done:
    """What a command left."""

    code: int
    out: str
    errors: str


def run(folder: Path, *words: str) -> Done:
    """Runs robossl in this process; a new one takes seconds to begin."""
    out, errors, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(errors), pytest.raises(SystemExit) as stop:
            main(words)
    finally:
        os.chdir(before)
    return Done(int(stop.value.code or 0), out.getvalue(), errors.getvalue())


def killed_at(folder: Path, method: str, call: int, *words: str) -> None:
    """Runs robossl until it is about to call a method for the given time, counted from 1, and kills it there."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, method, str(call), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def weights(run_folder: Path) -> dict[str, torch.Tensor]:
    path = find_checkpoint(run_folder)
    assert path is not None
    found: dict[str, torch.Tensor] = Checkpoint(path).tree("agent")["networks"]["weights"]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a finished run in it."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "small.yaml").write_text(PRESET)
    done = run(folder, "train", "small.yaml", "--json")
    assert done.code == 0, done.errors
    figures = json.loads(done.out.splitlines()[-1])
    assert figures["n_timesteps"] == 960
    assert figures["episodes"] == 4
    assert Path(folder, figures["video"]).read_bytes().startswith(b"GIF89a")
    assert len([line for line in done.out.splitlines() if line.startswith(("success", "distance", "time"))]) == 3
    return folder


def test_a_pretrained_encoder_brings_its_own_sizes(folder: Path) -> None:
    observation = load_encoder(folder / "runs" / "small" / "1" / "encoder").observation
    sizes = EncoderConfig(channels=(4,), kernels=(8,), strides=(4,), image_features=16)
    save_encoder(MultimodalEncoder(observation, sizes), folder / "other")
    flags = ("--no-pretrain", "--encoder-options.weights", "other", "-f", "weights", "-n", "64")
    done = run(folder, "train", "small.yaml", *flags)
    assert done.code == 0, done.errors  # the final test builds the agent anew
    settings = load_preset("train", str(folder / "weights" / "small" / "1" / "config.yaml"), TrainSettings)
    assert settings.encoder == sizes


def test_a_pretraining_goes_on_to_another_end_and_keeps_all_else(folder: Path) -> None:
    (folder / "learn.yaml").write_text("pretrain: {updates: 2, batch_size: 16, probe_every: null}\nframe_stack: 1\n")
    words = ("--env", "robossl/RingCorridor-v0", "--env.num-worlds", "4", "--env.image-size", "48", "27", "-n", "200")
    assert run(folder, "collect", *words, "--out", "data").code == 0
    done = run(folder, "pretrain", "learn.yaml", "--data", "data", "-f", "learnt")
    assert done.code == 0, done.errors
    resume = ("pretrain", "--resume", "learnt/learn/1")
    done = run(folder, *resume, "-n", "4", "--seed", "9")
    assert (done.code, "unknown argument '--seed'" in done.errors) == (2, True)
    assert run(folder, *resume, "-n", "4").code == 0
    settings = load_preset("pretrain", str(folder / "learnt" / "learn" / "1" / "config.yaml"), PretrainSettings)
    assert (settings.pretrain.updates, settings.pretrain.batch_size) == (4, 16)
    done = run(folder, *resume, "-n", "3")
    assert (done.code, done.errors) == (1, "robossl: the run cannot end at 3: it is at 4 already\n")


def test_a_run_does_not_end_before_where_it_is(folder: Path) -> None:
    done = run(folder, "train", "--resume", "runs/small/1", "-n", "64")
    assert (done.code, done.errors) == (1, "robossl: the run cannot end at 64: it is at 960 already\n")
    done = run(folder, "eval", "runs/small/1", "--checkpoint", "../../1/checkpoints/last")
    assert (done.code, "has no checkpoint" in done.errors) == (1, True)


def test_a_run_killed_in_every_phase_resumes_to_the_same_weights(folder: Path) -> None:
    logs = folder / "killed"
    train, resume = ("train", "small.yaml", "-f", "killed"), ("train", "--resume", "killed/small/1")
    killed_at(folder, "robossl.data.episode_writer:EpisodeWriter.add", 9, *train)
    assert not list((logs / "artifacts").glob("data-*"))
    killed_at(folder, "robossl.objectives:RepresentationLearner.update", 3, *resume)
    assert len(list((logs / "artifacts").glob("data-*"))) == 1
    assert not (logs / "small" / "1" / "encoder").exists()
    killed_at(folder, "robossl.agents:PPO.train", 7, *resume)
    assert find_checkpoint(logs / "small" / "1") is not None
    shutil.rmtree(logs / "artifacts")  # the run keeps its encoder
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    resumed = run(elsewhere, "train", "--resume", str(logs / "small" / "1"))
    assert resumed.code == 0, resumed.errors
    assert not (logs / "artifacts").exists()
    assert list(elsewhere.iterdir()) == []
    expected, found = weights(folder / "runs" / "small" / "1"), weights(logs / "small" / "1")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_seconds_before_the_first_checkpoint_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = SimpleNamespace(now_s=0.0), []
    monkeypatch.setattr("robossl.training.stopwatch.time", SimpleNamespace(monotonic=lambda: clock.now_s))

    def interrupted(*_: object) -> Path:
        clock.now_s += 1000
        raise Interrupted(signal.SIGINT, None)

    def pretrained(*_: object) -> Path:
        clock.now_s += 200
        return folder / "runs" / "small" / "1" / "encoder"

    def broken_off(*_: object, stopwatch: Stopwatch, **__: object) -> None:
        told.append(stopwatch.read())
        clock.now_s += 10_000
        raise UserError("a power cut")

    monkeypatch.setattr("robossl.cli.chain.pretrained_encoder", interrupted)
    assert run(folder, "train", "small.yaml", "-f", "watched").code == 130
    clock.now_s += 1_000_000  # nobody works on it
    monkeypatch.setattr("robossl.cli.chain.pretrained_encoder", pretrained)
    monkeypatch.setattr("robossl.cli.chain.train", broken_off)
    for _ in range(2):
        assert run(folder, "train", "--resume", "watched/small/1").code == 1
    assert told == [1200, 1200]


def test_a_file_of_seconds_that_holds_none_is_named(folder: Path) -> None:
    copy = shutil.copytree(folder / "runs" / "small" / "1", folder / "unwatched", symlinks=True)
    (copy / "stopwatch.json").write_text("{}")
    done = run(folder, "train", "--resume", "unwatched")
    assert (done.code, done.errors) == (1, "robossl: unwatched/stopwatch.json does not hold the seconds of a run\n")


def test_whoever_interrupts_the_last_film_is_told_what_to_resume(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(folder / "runs" / "small" / "1", folder / "filmed", symlinks=True)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("robossl.cli.final_test.record", interrupted)
    done = run(folder, "train", "--resume", str(copy))
    assert done.code == 130
    assert f"stopped by SIGINT; continue from {copy}" in done.errors


def test_whoever_interrupts_a_run_before_its_agent_learns_is_told_what_to_resume(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("robossl.cli.chain.pretrained_encoder", interrupted)
    done = run(folder, "train", "small.yaml", "-f", "early")
    assert (done.code, done.errors.splitlines()[-1]) == (
        130,
        "robossl: stopped by SIGINT; continue from early/small/1",
    )


@pytest.mark.parametrize("step", ["opened_env", "Evaluator", "_require_buildable"])
def test_whoever_interrupts_before_a_run_goes_on_is_told_what_to_resume(
    step: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"robossl.cli.chain.{step}", interrupted)
    done = run(folder, "train", "--resume", "runs/small/1")
    assert (done.code, done.errors.splitlines()[-1]) == (130, "robossl: stopped by SIGINT; continue from runs/small/1")


def test_whoever_interrupts_a_run_that_is_just_begun_is_told_what_to_resume(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("robossl.cli.chain.write_system_json", interrupted)
        done = run(folder, "train", "small.yaml", "-f", "begun")
    assert done.errors.splitlines()[-1] == "robossl: stopped by SIGINT; continue from begun/small/1"
    assert run(folder, "train", "--resume", "begun/small/1").code == 0
    assert (folder / "begun" / "small" / "1" / "system.json").is_file()


def test_a_film_that_does_not_fit_on_the_disk_costs_no_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(folder / "runs" / "small" / "1", folder / "filled", symlinks=True)
    (copy / "result.json").unlink()
    found = []

    def full(*_: object) -> None:
        found.append(json.loads((copy / "result.json").read_text()))
        raise UserError("cannot write final.gif: No space left on device")

    monkeypatch.setattr("robossl.training.record.Recording.save", full)
    done = run(folder, "train", "--resume", str(copy), "--json")
    assert done.code == 0, done.errors
    assert "no video: cannot write final.gif: No space left on device\n" in done.errors
    figures = json.loads(done.out.splitlines()[-1])
    assert [figures] == [json.loads((copy / "result.json").read_text())] == found
    assert figures["video"] is None
    assert figures["success_rate"] >= 0.0


def test_a_video_that_cannot_be_kept_is_not_filmed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robossl.cli.record.record", lambda *_, **__: pytest.fail("it was filmed"))
    done = run(folder, "record", "runs/small/1", "--out", "small.yaml/videos")
    assert done.code == 1
    assert done.errors.startswith("robossl: cannot write small.yaml/videos/")
    assert done.errors.endswith(".gif: Not a directory\n")


def test_two_processes_do_not_go_on_with_one_run(folder: Path) -> None:
    run_folder = folder / "runs" / "small" / "1"
    before = (run_folder / "command.txt").read_text()
    with only_writer(run_folder):
        done = run(folder, "train", "--resume", "runs/small/1", "-n", "1920")
    assert done.code == 1
    assert done.errors == "robossl: runs/small/1 is being written by another process\n"
    assert (run_folder / "command.txt").read_text() == before


def test_a_longer_run_that_was_killed_goes_on_to_its_new_end(folder: Path) -> None:
    shutil.copytree(folder / "runs" / "small" / "1", folder / "longer" / "small" / "1", symlinks=True)
    killed_at(folder, "robossl.agents:PPO.train", 2, "train", "--resume", "longer/small/1", "-n", "1088")
    done = run(folder, "train", "--resume", "longer/small/1", "--json")
    assert done.code == 0, done.errors
    assert json.loads(done.out.splitlines()[-1])["n_timesteps"] == 1088


def test_a_run_goes_on_without_the_weights_that_it_began_with(folder: Path) -> None:
    copy = folder / "runs" / "begun-with-weights"
    shutil.copytree(folder / "runs" / "small" / "1", copy, symlinks=True)
    config = yaml.safe_load((copy / "config.yaml").read_text())
    config["pretrain"], config["encoder_options"]["weights"] = None, "gone/encoder"
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    done = run(copy / "checkpoints", "train", "--resume", "last", "--json")
    assert done.code == 0, done.errors
    assert json.loads(done.out.splitlines()[-1])["n_timesteps"] == 960


def test_a_run_is_evaluated_alike_by_any_number_of_worlds(folder: Path) -> None:
    words = ("eval", "runs/small/1", "--episodes", "6", "--seed", "7", "--json")
    first, second = (run(folder, *words, "--num-worlds", number) for number in ("6", "3"))
    assert first.code == 0, first.errors
    one, other = (json.loads(done.out.splitlines()[-1]) for done in (first, second))
    assert one["episodes"] == 6
    assert one["distance_mean"] == pytest.approx(other["distance_mean"], abs=0.5)


def test_another_camera_is_refused(folder: Path) -> None:
    copy = folder / "runs" / "other"
    shutil.copytree(folder / "runs" / "small" / "1", copy, symlinks=True)
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("image_size: null", "image_size: [32, 18]"))
    done = run(folder, "eval", "runs/other")
    assert done.code == 1
    assert "runs/other/checkpoints/" in done.errors  # which is the best depends on the last bits of the processor
    assert "rgb_front" in done.errors
    assert done.errors.count("\n") == 1


def test_a_truncated_checkpoint_is_named_and_the_others_stay(folder: Path) -> None:
    path = find_checkpoint(folder / "runs" / "small" / "1")
    assert path is not None
    member = next(path.glob("agent*.safetensors"))
    whole = member.read_bytes()
    try:
        member.write_bytes(whole[:100])
        done = run(folder, "eval", "runs/small/1", "--checkpoint", "last", "--episodes", "1")
    finally:
        member.write_bytes(whole)
    assert done.code == 1
    assert member.name in done.errors
    assert done.errors.count("\n") == 1
