"""What `robossl pretrain` keeps of its call, for whoever resumes it."""

import json
import os
from pathlib import Path

from robossl.cli.pretrain import _begin, _data, _kept
from robossl.cli.settings import PretrainSettings
from robossl.training.pretrain import PretrainResult


def test_a_dataset_whose_path_is_no_text_is_found_again(tmp_path: Path) -> None:
    data = tmp_path / os.fsdecode(b"d\xff")
    folder = _begin(PretrainSettings(log_folder=tmp_path), "a", data)
    assert _data(folder) == data


def test_figures_that_the_checkpoints_of_a_finished_run_lack_stay_as_they_are(tmp_path: Path) -> None:
    def result(metrics: dict[str, float]) -> PretrainResult:
        return PretrainResult(encoder=tmp_path / "encoder", metrics=metrics, report=None, seconds=1.0)

    figures = _kept(tmp_path, result({"loss": 0.5}))
    assert figures == json.loads((tmp_path / "result.json").read_text())
    assert _kept(tmp_path, result({})) == figures == json.loads((tmp_path / "result.json").read_text())
