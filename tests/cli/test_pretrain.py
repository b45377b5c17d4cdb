"""What `robossl pretrain` keeps of its call, for whoever resumes it."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from robossl.cli.pretrain import _begin, _data, _kept, run
from robossl.cli.settings import PretrainSettings
from robossl.training.interrupt import Interrupted
from robossl.training.pretrain import PretrainResult


def test_a_dataset_whose_path_is_no_text_is_found_again(tmp_path: Path) -> None:
    data = tmp_path / os.fsdecode(b"d\xff")
    folder = _begin(PretrainSettings(log_folder=tmp_path), "a", data)
    assert _data(folder) == data


@pytest.mark.parametrize("stop", [Interrupted(signal.SIGINT, Path("checkpoint")), KeyboardInterrupt()])
def test_whoever_interrupts_is_told_what_to_resume(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise stop

    prepared = SimpleNamespace(run=interrupted, replay=SimpleNamespace(observation={}))
    monkeypatch.setattr("robossl.cli.pretrain.Pretraining.prepare", lambda *_: prepared)
    folder = tmp_path / "tov-vicreg" / "1"
    with pytest.raises(Interrupted, match=f"; continue from {folder}$"):
        run(["tov-vicreg", "--data", "data", "-f", str(tmp_path)])
    assert (folder / "data.txt").is_file()


@pytest.mark.parametrize("step", ["prepare_processor", "Pretraining.prepare"])
def test_whoever_interrupts_before_a_run_goes_on_is_told_what_to_resume(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    folder = _begin(PretrainSettings(log_folder=tmp_path), "a", tmp_path)
    monkeypatch.setattr(f"robossl.cli.pretrain.{step}", interrupted)
    with pytest.raises(Interrupted, match=f"; continue from {folder}$"):
        run(["--resume", str(folder)])


def test_figures_that_the_checkpoints_of_a_finished_run_lack_stay_as_they_are(tmp_path: Path) -> None:
    def result(metrics: dict[str, float]) -> PretrainResult:
        return PretrainResult(encoder=tmp_path / "encoder", metrics=metrics, report=None, seconds=1.0)

    figures = _kept(tmp_path, result({"loss": 0.5}))
    assert figures == json.loads((tmp_path / "result.json").read_text())
    assert _kept(tmp_path, result({})) == figures == json.loads((tmp_path / "result.json").read_text())
