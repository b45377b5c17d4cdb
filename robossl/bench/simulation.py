"""Speed of simulation and cameras, as ratios that are each measured in one run."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from robossl.bench import pictures, stepping
from robossl.bench.setting import SimulationBench, make, robot_camera
from robossl.core import UserError

Figures = dict[str, Any]

_MEASURES: dict[str, Callable[[SimulationBench], Figures]] = {
    "batch_vs_bare": lambda config: stepping.steps(config, "random"),
    "batch_vs_bare_expert": lambda config: stepping.steps(config, "expert"),
    "batch_vs_async": lambda config: stepping.processes(config, "async"),
    "batch_vs_subprocess": lambda config: stepping.processes(config, "subprocess"),
    "gl_vs_bare": pictures.gl,
    "render_vs_gymnasium": pictures.gymnasium,
    "modalities_vs_rgb": pictures.modalities,
    "raycast_vs_bare": lambda config: pictures.raycast(config, pictures.SQUARE),
    "raycast_vs_bare_own_size": pictures.raycast,
    "end_to_end_vs_bare": lambda config: pictures.end_to_end(config, "random"),
    "end_to_end_vs_bare_expert": lambda config: pictures.end_to_end(config, "expert"),
    "thread_scaling": stepping.thread_scaling,
}
"""Driven at random, and pictures of 64x64, where the name says nothing else."""

NUM_MEASURES = len(_MEASURES)


def run(config: SimulationBench, report: Callable[[str, Figures], None] = lambda name, figures: None) -> Figures:
    """Measures everything of one task, and reports each figure as it comes.

    Returns:
        {measure: figures}: both rates and their `ratio`; {"unavailable": reason} where a renderer does not start.

    Raises:
        UnknownNameError: if no task has that id.
        UserError: if the task has no camera.
    """
    with closing(make(config, 1)) as env:
        robot_camera(env)
    figures: Figures = {}
    for name, measure in _MEASURES.items():
        try:
            figures[name] = measure(config)
        except UserError as error:
            figures[name] = {"unavailable": str(error)}
        report(name, figures[name])
    return figures


def lowest(tasks: dict[str, Figures]) -> dict[str, float | None]:
    """Returns the lowest ratio among the tasks for every measure; None where one is unavailable."""
    ratios = {name: [task[name].get("ratio") for task in tasks.values()] for name in _MEASURES}
    return {name: None if None in values else min(values) for name, values in ratios.items()}
