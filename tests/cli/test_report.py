"""`robossl report`: which runs are one group, and what they came to."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from robossl.cli.main import main
from robossl.cli.presets import dump
from robossl.cli.settings import TrainSettings
from robossl.training.train import TrainLoopConfig


def finished(folder: Path, settings: TrainSettings, return_mean: float) -> str:
    """Leaves what `report` reads of a run."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump(settings))
    figures = {"run": str(folder), "seed": settings.seed, "seconds": 60.0, "return_mean": return_mean}
    (folder / "result.json").write_text(json.dumps(figures))
    return str(folder)


def reported(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, float]], str]:
    """Returns the exit code, the mean return of each group, and what was said of errors."""
    with pytest.raises(SystemExit) as stop:
        main(["report", *words, "--json"])
    captured = capsys.readouterr()
    groups = json.loads(captured.out.splitlines()[-1])["groups"] if captured.out else {}
    return int(stop.value.code or 0), {name: group["return_mean"] for name, group in groups.items()}, captured.err


def test_runs_that_differ_in_the_seed_alone_are_a_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = TrainSettings(num_threads=1)
    first = finished(tmp_path / "quickstart" / "1", settings, 1.0)
    second = finished(tmp_path / "quickstart" / "2", replace(settings, seed=1, num_threads=4), 3.0)
    code, groups, _ = reported(capsys, first, second)
    assert code == 0
    assert {name: group["mean"] for name, group in groups.items()} == {"quickstart": 2.0}


def test_runs_of_one_preset_with_other_settings_are_groups_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = TrainSettings()
    first = finished(tmp_path / "quickstart" / "1", settings, 1.0)
    short = replace(settings, seed=1, loop=TrainLoopConfig(n_timesteps=10))
    second = finished(tmp_path / "quickstart" / "2", short, 3.0)
    code, groups, _ = reported(capsys, first, second)
    assert code == 0
    assert {name: group["mean"] for name, group in groups.items()} == {first: 1.0, second: 3.0}


@pytest.mark.parametrize("content", ["{}", "[]", "3"])
def test_figures_that_are_none_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    run = finished(tmp_path / "quickstart" / "1", TrainSettings(), 1.0)
    (tmp_path / "quickstart" / "1" / "result.json").write_text(content)
    code, _, errors = reported(capsys, run)
    assert code == 1
    assert errors == f"robossl: {run}/result.json does not hold the figures of a run\n"
