"""`robossl export` on a run of a Gymnasium environment, and what it refuses."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robossl.cli.main import main
from robossl.core import Bundle
from robossl.core.contract import VectorInput

TRAIN = [
    "train", "--env", "Pendulum-v1", "--env.num-worlds", "4", "--num-threads", "1", "--loop.n-timesteps", "64",
    "--agent.n-steps", "8", "--agent.batch-size", "16", "--test-episodes", "1", "--evaluation.episodes", "1",
    "--evaluation.video-height-px", "None", "--evaluation.num-latents", "None",
]  # fmt: skip


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.raises(SystemExit) as stop:
        main([*TRAIN, "-f", str(folder)])
    assert stop.value.code == 0
    return folder / "Pendulum-v1" / "1"


def test_a_run_becomes_a_bundle(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["export", str(run_folder), "--episodes", "2", "--json"], capsys)
    assert code == 0, err
    figures = json.loads(out.splitlines()[-1])
    bundle = Bundle(run_folder / "bundle")
    assert figures["digest"] == bundle.digest
    assert figures["steps"] == 400
    assert figures["return_graph"] == pytest.approx(figures["return_agent"], rel=1e-3)
    contract = bundle.contract
    assert (contract.trained_on.env, contract.trained_on.run, contract.control_hz) == (
        "Pendulum-v1",
        "Pendulum-v1/1",
        30,
    )
    assert [(c.name, c.scale, c.low, c.high) for c in contract.commands] == [("action_0", 2.0, -2.0, 2.0)]
    (vector,) = contract.inputs
    assert isinstance(vector, VectorInput)
    seen = [element.seen for element in vector.elements]
    assert all(-1 <= part.low <= part.high <= 1 for part in seen[:2])  # cosine and sine
    assert seen[2].high - seen[2].low > 1  # rad/s


@pytest.mark.slow
def test_exporting_twice_gives_the_same_bytes(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        code, _, err = run(["export", str(run_folder), "--episodes", "2", "-o", str(tmp_path / name)], capsys)
        assert code == 0, err
    first, second = (Bundle(tmp_path / name) for name in ("first", "second"))
    assert first.policy == second.policy
    assert first.contract == second.contract


def test_a_run_becomes_a_zip(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(run_folder), "--format", "sb3", "-o", str(tmp_path / "policy.zip")]
    code, _, err = run(words, capsys)
    assert code == 0, err
    assert (tmp_path / "policy.zip").is_file()
    code, _, err = run(words, capsys)
    assert (code, err.count("\n")) == (1, 1)
    assert "exists: choose another file" in err


def one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code, _, err = run(arguments, capsys)
    lines = [line for line in err.splitlines() if line.startswith("robossl: ")]
    assert len(lines) == 1
    assert "Traceback" not in err
    return code, lines[0]


def test_what_cannot_be_exported_is_said_in_one_line(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert one_line(["export"], capsys) == (2, "robossl: which run shall be exported? Give its folder")
    code, line = one_line(["export", str(tmp_path / "nowhere")], capsys)
    assert (code, line.endswith("is not a run: it has no config.yaml")) == (1, True)
    code, line = one_line(["export", str(run_folder), "--checkpoint", "77", "-o", str(tmp_path / "b")], capsys)
    assert (code, "has no checkpoint '77'; known: 64, best, last" in line) == (1, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    code, line = one_line(["export", str(run_folder), "-o", str(tmp_path / "full")], capsys)
    assert (code, "exists and is not a bundle" in line) == (1, True)
    for form in ("onnx", "sb3"):
        place = tmp_path / "full" / "thesis.txt" / "b"
        code, line = one_line(["export", str(run_folder), "--format", form, "-o", str(place)], capsys)
        assert (code, "Not a directory" in line) == (1, True)
    code, line = one_line(["export", str(run_folder), "--format", "sb3", "--quantise", "int8"], capsys)
    assert (code, "--quantise is of format onnx" in line) == (1, True)
    code, line = one_line(["export", str(run_folder), "--format", "onxx"], capsys)
    assert code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_a_damaged_checkpoint_is_named(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy, symlinks=True)
    member = next((copy / "checkpoints" / "last").resolve().glob("agent*.safetensors"))
    content = np.frombuffer(member.read_bytes(), np.uint8).copy()
    content[-1] ^= 1
    member.write_bytes(content.tobytes())
    words = ["export", str(copy), "--checkpoint", "last", "-o", str(tmp_path / "bundle")]
    code, line = one_line(words, capsys)
    assert (code, member.name in line) == (1, True)
    assert not (tmp_path / "bundle").exists()


def test_a_missing_package_is_named_with_its_extra(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "onnx" else find(name, *rest))
    code, line = one_line(["export", str(run_folder), "-o", str(tmp_path / "b")], capsys)
    assert (code, line) == (1, "robossl: export needs onnx: pip install 'robossl[deploy]'")
