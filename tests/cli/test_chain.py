"""The whole chain on the real environment, small: collect, pretrain, train, kill, resume, evaluate, record."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from robossl.training.checkpoint import Checkpoint, find_checkpoint

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


def robossl(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", "from robossl.cli.main import main; main()", *words]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(robossl(folder, *words), cwd=folder, capture_output=True, text=True, timeout=300)


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
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["n_timesteps"] == 960
    assert figures["episodes"] == 4
    assert Path(folder, figures["video"]).read_bytes().startswith(b"GIF89a")
    assert len([line for line in done.stdout.splitlines() if line.startswith(("success", "distance", "time"))]) == 3
    return folder


def test_a_killed_run_resumes_to_the_same_weights(folder: Path) -> None:
    process = subprocess.Popen(
        robossl(folder, "train", "small.yaml"), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    killed = folder / "runs" / "small" / "2"
    deadline = time.monotonic() + 120
    while find_checkpoint(killed) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = run(folder, "train", "--resume", "runs/small/2")
    assert resumed.returncode == 0, resumed.stderr
    expected, found = weights(folder / "runs" / "small" / "1"), weights(killed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_run_is_evaluated_alike_by_any_number_of_worlds(folder: Path) -> None:
    words = ("eval", "runs/small/1", "--episodes", "6", "--seed", "7", "--json")
    first, second = (run(folder, *words, "--num-worlds", number) for number in ("6", "3"))
    assert first.returncode == 0, first.stderr
    one, other = (json.loads(done.stdout.splitlines()[-1]) for done in (first, second))
    assert one["episodes"] == 6
    assert one["distance_mean"] == pytest.approx(other["distance_mean"], abs=0.5)


def test_another_camera_is_refused(folder: Path) -> None:
    copy = folder / "runs" / "other"
    copy.mkdir(exist_ok=True)
    for name in ("config.yaml", "env.json"):
        (copy / name).write_bytes((folder / "runs" / "small" / "1" / name).read_bytes())
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("image_size: null", "image_size: [32, 18]"))
    done = run(folder, "eval", "runs/other")
    assert done.returncode == 1
    assert "rgb_front" in done.stderr
    assert done.stderr.count("\n") == 1


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
    assert done.returncode == 1
    assert member.name in done.stderr
    assert done.stderr.count("\n") == 1
