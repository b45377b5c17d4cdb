"""`robossl report`: several runs as one table, with bootstrap intervals over their episodes and seeds."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robossl.cli.arguments import parse
from robossl.cli.compose import load_settings
from robossl.cli.figures import print_json
from robossl.core import UsageError, UserError
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
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for folder in folders:
        groups[_group(folder)].append(_result(folder))
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


def _group(folder: Path) -> str:
    """Returns the name shared by runs of one preset folder."""
    load_settings(folder)
    return folder.resolve().parent.name


def _result(folder: Path) -> dict[str, Any]:
    if not (folder / "result.json").is_file():
        raise UserError(f"{folder} is not finished: it has no result.json")
    result: dict[str, Any] = read_json(folder / "result.json")
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
