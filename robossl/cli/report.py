"""`robossl report`: several runs as one table, with intervals over their seeds."""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robossl.cli.arguments import parse, require_values
from robossl.cli.compose import load_settings
from robossl.cli.figures import print_json
from robossl.cli.presets import dump
from robossl.core import CorruptFileError, UsageError, UserError
from robossl.core.files import read_json
from robossl.training.checkpoint import Checkpoint, find_checkpoint
from robossl.training.intervals import seeds_interval

_UNTOLD = "-"  # of what an environment never told
_COLUMNS = ("success_rate", "return_mean", "distance_mean", "collision_rate")
_RATES = ("success_rate", "collision_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCommand:
    """Compares finished runs; a seed that was run several times counts once, as the mean of these runs.

    Attributes:
        json: print one JSON object as the last line.
    """

    json: bool = False


def run(arguments: list[str]) -> int:
    """Prints a table of runs, and one of groups: runs whose settings differ in the seed alone."""
    names = [word for word in arguments if not word.startswith("-")]
    rest = [word for word in arguments if word.startswith("-")]
    command = parse(ReportCommand(), rest, usage="robossl report RUN...", description="Compares finished runs.")
    if not names:
        raise UsageError("give the folders of finished runs")
    require_values(names)
    found = _grouped(list({os.path.realpath(name): Path(name) for name in names}.values()))
    groups = {name: [_result(folder) for folder in runs] for name, runs in found.items()}
    every = [result for results in groups.values() for result in results]
    columns = [name for name in _COLUMNS if any(name in result for result in every)]
    print(_markdown(["run", "seed", *columns, "minutes"], [_row(result, columns) for result in every]))
    print()
    seeds = {name: _by_seed(results) for name, results in groups.items()}
    summaries = {name: _summary(runs, columns) for name, runs in seeds.items()}
    rows = [
        [name, str(len(seeds[name])), *(_cell(summary.get(column)) for column in columns)]
        for name, summary in summaries.items()
    ]
    print(_markdown(["group", "seeds", *columns], rows))
    for name, runs in seeds.items():
        repeated = [f"{seed} ({len(results)} runs)" for seed, results in runs.items() if len(results) > 1]
        if repeated:
            print(f"{name}: seed {', '.join(repeated)} counts once, as the mean of its runs")
    if command.json:
        told = ("run", "seed", *columns, "seconds")
        print_json({"groups": summaries, "runs": [{name: result.get(name) for name in told} for result in every]})
    return 0


def _grouped(folders: list[Path]) -> dict[str, list[Path]]:
    """Returns runs by what they share, under the name of their folder, or of the first of them where that is taken."""
    alike: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        alike[_shared(folder)].append(folder)
    named = [(runs[0].resolve().parent.name, runs) for runs in alike.values()]
    taken = Counter(name for name, _ in named)
    return {name if taken[name] == 1 else str(runs[0]): runs for name, runs in named}


def _shared(folder: Path) -> str:
    """Returns the settings of a run without its seed, and without where it ran and on what."""
    settings = load_settings(folder)
    env = replace(settings.env, num_threads=None)
    return dump(replace(settings, env=env, seed=0, log_folder=Path(), device="auto", num_threads=None))


def _result(folder: Path) -> dict[str, Any]:
    if not (folder / "result.json").is_file():
        raise UserError(f"{folder} is not finished: it has no result.json")
    result: dict[str, Any] = read_json(folder / "result.json")
    if not isinstance(result, dict) or not {"run", "seed", "seconds", "n_timesteps", "episodes"} <= result.keys():
        raise CorruptFileError(f"{folder / 'result.json'} does not hold the figures of a run")
    _require_current(folder, result)
    return {**result, "run": str(folder)}  # which may have been moved since


def _require_current(folder: Path, result: dict[str, Any]) -> None:
    """Refuses figures of a run that has gone on since, to another end or from an earlier checkpoint."""
    step, end = result["n_timesteps"], load_settings(folder).loop.n_timesteps
    last = find_checkpoint(folder)
    now = step if last is None else Checkpoint(last).step
    if now != step or step < end:
        raise UserError(
            f"{folder} is not finished: its figures are those of step {step:,}, it is at {now:,} of {end:,}"
        )


def _by_seed(results: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Returns the runs of each seed: repeating one tells nothing of how much seeds differ."""
    runs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        runs[result["seed"]].append(result)
    return runs


def _row(result: dict[str, Any], columns: list[str]) -> list[str]:
    figures = [f"{result[name]:.3g}" if name in result else _UNTOLD for name in columns]
    return [result["run"], str(result["seed"]), *figures, f"{result['seconds'] / 60:.1f}"]


def _summary(runs: dict[int, list[dict[str, Any]]], columns: list[str]) -> dict[str, dict[str, float | None]]:
    """Returns mean and 95 % interval over seeds of each column of which all runs tell; no limits of a single seed."""
    every = [result for results in runs.values() for result in results]
    summary: dict[str, dict[str, float | None]] = {}
    for name in columns:
        if not all(name in result for result in every):
            continue
        values = np.array([np.mean([result[name] for result in results]) for results in runs.values()])
        episodes = min(_num_judged(name, result) for result in every) if name in _RATES else None
        low, high = seeds_interval(values, episodes=episodes) or (None, None)
        summary[name] = {"mean": float(values.mean()), "low": low, "high": high, "seeds": len(values)}
    return summary


def _num_judged(name: str, result: dict[str, Any]) -> int:
    """Returns how many episodes a rate is one of: those that diverged were no success, and tell nothing else."""
    lost = 0 if name == "success_rate" else result.get("num_diverged", 0)
    return max(int(result["episodes"] - lost), 1)


def _cell(figure: dict[str, float | None] | None) -> str:
    """Returns the mean, with its interval where there is more than one seed to tell it from."""
    if figure is None:
        return _UNTOLD
    interval = f" [{figure['low']:.3g}, {figure['high']:.3g}]" if figure["low"] is not None else ""
    return f"{figure['mean']:.3g}{interval}"


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
