"""`robossl report`: several runs as one table, with bootstrap intervals over their episodes and seeds."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robossl.cli.arguments import parse
from robossl.cli.compose import load_settings
from robossl.cli.figures import print_json
from robossl.cli.presets import dump
from robossl.core import CorruptFileError, UsageError, UserError
from robossl.core.files import read_json

_RESAMPLES = 10_000
_COLUMNS = ("success_rate", "return_mean", "distance_mean", "collision_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCommand:
    """Compares finished runs.

    Attributes:
        json: print one JSON object as the last line.
    """

    json: bool = False


def run(arguments: list[str]) -> int:
    """Prints a table of runs, and one of groups: runs whose settings differ in the seed alone."""
    folders = [Path(word) for word in arguments if not word.startswith("-")]
    rest = [word for word in arguments if word.startswith("-")]
    command = parse(ReportCommand(), rest, usage="robossl report RUN...", description="Compares finished runs.")
    if not folders:
        raise UsageError("give the folders of finished runs")
    groups = {name: [_result(folder) for folder in members] for name, members in _grouped(folders).items()}
    every = [result for results in groups.values() for result in results]
    columns = [name for name in _COLUMNS if all(name in result for result in every)]
    print(_markdown(["run", "seed", *columns, "minutes"], [_row(result, columns) for result in every]))
    print()
    summaries = {name: _summary(results, columns) for name, results in groups.items()}
    rows = [[name, str(len(groups[name])), *map(_interval, summary.values())] for name, summary in summaries.items()]
    print(_markdown(["group", "seeds", *columns], rows))
    if command.json:
        print_json({"groups": summaries})
    return 0


def _grouped(folders: list[Path]) -> dict[str, list[Path]]:
    """Returns runs of one preset folder whose settings differ in the seed alone, by the name of that folder.

    Where the runs of a folder differ in more, each of its groups is named after its first run.
    """
    groups: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for folder in folders:
        groups[folder.resolve().parent.name, _settings_but_seed(folder)].append(folder)
    presets = [preset for preset, _ in groups]
    return {
        preset if presets.count(preset) == 1 else str(members[0]): members for (preset, _), members in groups.items()
    }


def _settings_but_seed(folder: Path) -> str:
    """Returns what decides a run's figures but for the seed: where and in how many threads it ran does not."""
    settings = load_settings(folder)
    env = replace(settings.env, num_threads=None)
    return dump(replace(settings, env=env, seed=0, num_threads=None, device="auto", log_folder=Path()))


def _result(folder: Path) -> dict[str, Any]:
    if not (folder / "result.json").is_file():
        raise UserError(f"{folder} is not finished: it has no result.json")
    result: dict[str, Any] = read_json(folder / "result.json")
    if not isinstance(result, dict) or not {"run", "seed", "seconds"} <= result.keys():
        raise CorruptFileError(f"{folder / 'result.json'} does not hold the figures of a run")
    return result


def _row(result: dict[str, Any], columns: list[str]) -> list[str]:
    figures = [f"{result[name]:.3g}" for name in columns]
    return [result["run"], str(result["seed"]), *figures, f"{result['seconds'] / 60:.1f}"]


def _summary(results: list[dict[str, Any]], columns: list[str]) -> dict[str, dict[str, float]]:
    """Returns mean and 95 % bootstrap interval over seeds of each column."""
    generator = np.random.default_rng(0)
    summary = {}
    for name in columns:
        values = np.array([result[name] for result in results])
        means = values[generator.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        summary[name] = {"mean": float(values.mean()), "low": float(low), "high": float(high)}
    return summary


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['mean']:.3g} [{figure['low']:.3g}, {figure['high']:.3g}]"


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
