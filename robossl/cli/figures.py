"""How results are printed: a few lines for a person, one JSON object for a program."""

import json
from typing import Any

_HEADLINE = "distance"  # the metric, in metres, that a person asks for first; the return where a task has none


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


def print_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    """Prints an evaluation's figures with their intervals, one a line; what is None is not known."""
    for key, value in summary.items():
        if key.endswith("_ci") or value is None:
            continue
        interval = summary.get(f"{key}_ci")
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{key:<22} {text}" + (f"   95 % [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else ""))
    if as_json:
        print_json(summary)


def print_json(figures: dict[str, Any]) -> None:
    """Prints one JSON object as one line."""
    print(json.dumps(figures, allow_nan=False))
