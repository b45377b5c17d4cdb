"""`robossl bench soak`: many steps of a task with random actions, watched for leaks and lost worlds."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from robossl.bench.soak import SoakConfig, failures, make, soak
from robossl.cli.arguments import FLAT, parse
from robossl.cli.figures import print_json, print_summary
from robossl.cli.machine import machine
from robossl.core.files import require_writable, write_json
from robossl.training.interrupt import InterruptWish
from robossl.training.progress import Progress

_UNITS = {
    "seconds": "s",
    "fastest": "rad/s or m/s",
    "memory_begin_mib": "MiB",
    "memory_end_mib": "MiB",
    "memory_growth": "%",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakCommand:
    """Endures a task.

    Attributes:
        config: which, and how long.
        out: file for the figures as JSON.
        json: print one JSON object as the last line.
    """

    config: Annotated[SoakConfig, FLAT] = field(default_factory=SoakConfig)
    out: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Steps and prints; exits with 1 where memory grew or a divergence was not counted."""
    command = parse(
        SoakCommand(),
        arguments,
        usage="robossl bench soak",
        description="Steps a task with random actions and everything random that it declares, and fails if memory "
        "grows by more than 2 % or a world goes astray uncounted.",
    )
    out = None if command.out is None else require_writable(command.out)
    config = command.config
    with (
        closing(make(config)) as env,
        Progress(f"soak {config.env}", config.steps, "steps") as progress,
        InterruptWish("stopping; the figures so far follow") as wish,
    ):

        def told(count: int, figures: dict[str, float]) -> bool:
            progress.show(**figures)
            progress.add(count)
            return wish.received is not None

        figures = soak(config, env, told)
    failed = failures(figures)
    summary = {
        "command": " ".join(["robossl bench soak", *arguments]),
        "env": config.env,
        "engine": config.engine,
        "num_worlds": config.num_worlds,
        "seed": config.seed,
        **figures,
        "failures": failed,
    }
    print_summary(summary, as_json=False, units=_UNITS)
    summary["machine"] = machine()
    if out is not None:
        write_json(out, summary)
    if command.json:
        print_json(summary)
    wish.raise_if_received(None)
    return 1 if failed else 0
