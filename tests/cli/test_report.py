"""`robossl report`: which runs count as seeds of one setting, and what is said of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from robossl.agents import PPOConfig
from robossl.cli.main import main
from robossl.cli.presets import dump
from robossl.cli.report import run
from robossl.cli.settings import TrainSettings
from robossl.core import UsageError
from robossl.training.checkpoint import Checkpoints
from robossl.training.train import TrainLoopConfig


def finished(folder: Path, settings: TrainSettings, success: float) -> str:
    """Writes what `report` reads of a run, and returns its folder."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump(replace(settings, log_folder=folder.parents[1])))
    figures = {"run": str(folder), "seed": settings.seed, "seconds": 60.0, "n_timesteps": settings.loop.n_timesteps}
    figures |= {"episodes": 8, "success_rate": success, "return_mean": 1.0}
    (folder / "result.json").write_text(json.dumps(figures))
    return str(folder)


def groups(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, dict[str, float]]]:
    with pytest.raises(SystemExit) as stop:
        main(["report", *arguments, "--json"])
    assert stop.value.code == 0
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1])["groups"])


@pytest.mark.parametrize("words", [[""], [" ", "runs/a/1"], ["--json", ""]])
def test_an_empty_name_is_not_the_folder_that_the_command_runs_in(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^an argument is empty: is a variable not set\?$"):
        run(words)


def test_every_line_of_the_table_is_in_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [finished(tmp_path / "push" / str(seed), TrainSettings(seed=seed), seed / 2) for seed in range(2)]
    with pytest.raises(SystemExit):
        main(["report", *runs, "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["runs"] == [
        {"run": run, "seed": seed, "success_rate": seed / 2, "return_mean": 1.0, "seconds": 60.0}
        for seed, run in enumerate(runs)
    ]


def test_runs_that_differ_in_their_seed_are_one_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        finished(tmp_path / "a" / "push" / str(seed), TrainSettings(seed=seed, num_threads=seed + 1), seed / 2)
        for seed in range(3)
    ]
    found = groups(runs, capsys)
    assert list(found) == ["push"]
    assert found["push"]["success_rate"] == {"mean": 0.5, "low": 0.0, "high": 1.0, "seeds": 3}


def test_runs_of_other_settings_are_a_group_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = TrainSettings(seed=1, agent=PPOConfig(gamma=0.5))
    runs = [
        finished(tmp_path / "a" / "push" / "1", TrainSettings(), 0.0),
        finished(tmp_path / "a" / "push" / "2", other, 1.0),
        finished(tmp_path / "b" / "push" / "1", replace(other, seed=2), 0.5),
        finished(tmp_path / "b" / "lift" / "1", replace(other, frame_stack=2), 0.5),
    ]
    found = groups(runs, capsys)
    assert list(found) == [runs[0], runs[1], "lift"]
    assert found[runs[1]]["success_rate"]["mean"] == 0.75


def test_one_seed_has_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", finished(tmp_path / "push" / "1", TrainSettings(), 0.5), "--json"])
    *table, summary = capsys.readouterr().out.splitlines()
    assert table[-1] == "| push | 1 | 0.5 | 1 |"
    expected = {"mean": 0.5, "low": None, "high": None, "seeds": 1}
    assert json.loads(summary)["groups"]["push"]["success_rate"] == expected


def test_seeds_that_agree_have_an_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [finished(tmp_path / "push" / str(seed), TrainSettings(seed=seed), 0.0) for seed in range(3)]
    with pytest.raises(SystemExit):
        main(["report", *runs])
    assert capsys.readouterr().out.splitlines()[-1] == "| push | 3 | 0 [0, 0.138] | 1 [1, 1] |"


def test_episodes_that_diverged_tell_nothing_of_collisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for seed in (0, 1):
        runs.append(finished(tmp_path / "push" / str(seed), TrainSettings(seed=seed), 0.5))
        result = Path(runs[-1]) / "result.json"
        result.write_text(json.dumps(json.loads(result.read_text()) | {"collision_rate": 0.5, "num_diverged": 6}))
    found = groups(runs, capsys)["push"]
    few, many = (found[name]["high"] - found[name]["low"] for name in ("collision_rate", "success_rate"))
    assert few > many


def test_what_some_never_told_of_is_left_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent = finished(tmp_path / "walk" / "1", TrainSettings(frame_stack=2), 0.0)
    figures = json.loads((Path(silent) / "result.json").read_text())
    del figures["success_rate"]  # of an environment that knows of none
    (Path(silent) / "result.json").write_text(json.dumps(figures))
    with pytest.raises(SystemExit):
        main(["report", finished(tmp_path / "push" / "1", TrainSettings(), 0.5), silent, "--json"])
    *table, last = capsys.readouterr().out.splitlines()
    assert table[-2:] == ["| push | 1 | 0.5 | 1 |", "| walk | 1 | - | 1 |"]
    assert f"| {silent} | 0 | - | 1 | 1.0 |" in table
    assert list(json.loads(last)["groups"]["walk"]) == ["return_mean"]


def test_a_folder_that_is_named_twice_is_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [finished(tmp_path / "push" / str(seed), TrainSettings(seed=seed), seed / 2) for seed in range(3)]
    (tmp_path / "link").symlink_to(runs[1])
    alone = groups(runs, capsys)
    assert groups([*runs, f"{tmp_path}/push/../push/0", str(tmp_path / "link")], capsys) == alone


def test_a_seed_that_was_run_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = [(0, 0.9), (0, 0.7), (1, 0.4)]
    runs = [
        finished(tmp_path / "push" / str(number), TrainSettings(seed=seed), success)
        for number, (seed, success) in enumerate(figures)
    ]
    with pytest.raises(SystemExit):
        main(["report", *runs, "--json"])
    *table, told, summary = capsys.readouterr().out.splitlines()
    assert told == "push: seed 0 (2 runs) counts once, as the mean of its runs"
    assert table[-1].startswith("| push | 2 | 0.6 [")
    found = json.loads(summary)["groups"]["push"]["success_rate"]
    assert [round(found[name], 9) for name in ("mean", "low", "high")] == [0.6, 0.0, 1.0]  # of two seeds, not three
    assert sum(line.startswith(f"| {tmp_path}") for line in table) == 3


def test_a_run_that_was_moved_is_named_by_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished(tmp_path / "push" / "1", TrainSettings(), 0.5)
    moved = Path(run).rename(tmp_path / "best")
    with pytest.raises(SystemExit):
        main(["report", str(moved)])
    assert f"| {moved} | 0 | 0.5 | 1 | 1.0 |" in capsys.readouterr().out.splitlines()


def test_a_run_that_is_not_finished_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished(tmp_path / "push" / "1", TrainSettings(), 0.0)
    (Path(run) / "result.json").unlink()
    with pytest.raises(SystemExit) as stop:
        main(["report", run])
    assert stop.value.code == 1
    assert f"{run} is not finished" in capsys.readouterr().err


@pytest.mark.parametrize(("end", "last"), [(960, 1000), (960, 800), (1920, 1000), (1920, 960)])
def test_figures_of_a_run_that_went_on_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: int, last: int
) -> None:
    settings = TrainSettings(loop=TrainLoopConfig(n_timesteps=960))
    run = Path(finished(tmp_path / "push" / "1", settings, 1.0))
    Checkpoints(run / "checkpoints", keep=1).save(960, {})
    assert groups([str(run)], capsys).keys() == {"push"}
    (run / "config.yaml").write_text(dump(replace(settings, loop=TrainLoopConfig(n_timesteps=end))))
    Checkpoints(run / "checkpoints", keep=1).save(last, {})
    with pytest.raises(SystemExit) as stop:
        main(["report", str(run)])
    assert stop.value.code == 1
    assert f"its figures are those of step 960, it is at {last:,} of {end:,}" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", "[]", "3"])
def test_figures_that_are_none_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    run = finished(tmp_path / "quickstart" / "1", TrainSettings(), 1.0)
    (Path(run) / "result.json").write_text(content)
    with pytest.raises(SystemExit) as stop:
        main(["report", run])
    assert stop.value.code == 1
    assert capsys.readouterr().err == f"robossl: {run}/result.json does not hold the figures of a run\n"
