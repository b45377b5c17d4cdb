"""How results are printed: a few lines for a person, one JSON object for a program."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_HEADLINE = "distance"  # the metric, in metres, that a person asks for first; the return where a task has none


_OF_METRICS = dict.fromkeys(("distance", "min_distance", "pushed", "distance_to_goal", "path_length"), "m")
"""Units of metrics of robossl's own tasks; the others are numbers alone."""


def final_figures(summary: dict[str, Any], random: dict[str, Any]) -> dict[str, Any]:
    """Joins the agent's summary with a random policy's on the same worlds."""
    return {**summary, "random": {key: value for key, value in random.items() if key.endswith(("_mean", "_rate"))}}


def print_figures(figures: dict[str, Any], *, as_json: bool) -> None:
    """Prints where a run's output is, then three lines: success where it is told, distance, time."""
    print()
    for name in ("tensorboard", "video", "checkpoint"):
        if figures.get(name):
            print(f"{name:<12} {figures[name]}")
    print()
    if "success_rate" in figures:
        low, high = figures["success_rate_ci"]
        interval = f"95 % interval {low:.0%} to {high:.0%}"
        print(f"success      {figures['success_rate']:.0%} of {figures['episodes']} unseen worlds ({interval})")
    if "num_diverged" in figures:
        print(f"astray       {figures['num_diverged']} of them ended because their physics diverged")
    name = _HEADLINE if f"{_HEADLINE}_mean" in figures else "return"
    mine, random = figures[f"{name}_mean"], figures["random"][f"{name}_mean"]
    unit = "" if name == "return" else " m"
    print(f"{name:<12} {mine:.2f}{unit} against {random:.2f}{unit} of a random policy on the same worlds")
    minutes, seconds = divmod(round(figures["seconds"]), 60)
    print(f"time         {minutes} min {seconds} s")
    if as_json:
        print_json(figures)


def evaluation_units(env_id: str) -> dict[str, str]:
    """Returns {figure: unit} of an evaluation's; what foreign environments count in, nobody knows."""
    own = {f"{name}_mean": unit for name, unit in _OF_METRICS.items()} if env_id.startswith("robossl/") else {}
    return {"length_mean": "steps", **own}


def print_summary(summary: dict[str, Any], *, as_json: bool, units: Mapping[str, str] = MappingProxyType({})) -> None:
    """Prints an evaluation's figures with their intervals and units, one a line; what is None is not known."""
    for key, value in summary.items():
        if key.endswith("_ci") or value is None:
            continue
        interval, unit = summary.get(f"{key}_ci"), units.get(key, "")
        value = 100 * value if unit == "%" else value
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        known = f"   95 % [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else ""
        print(f"{key:<22} {text}{unit and f' {unit}'}{known}")
    if as_json:
        print_json(summary)


def print_json(figures: dict[str, Any]) -> None:
    """Prints one JSON object as one line."""
    print(json.dumps(figures, allow_nan=False))
