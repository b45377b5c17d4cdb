"""`robossl bench`: speed as ratios, each measured in one run on this machine, and how far the engines agree."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robossl.cli.arguments import parse, split_positional
from robossl.cli.doctor import machine
from robossl.cli.figures import print_json
from robossl.core import UnknownNameError
from robossl.core.files import write_json
from robossl.core.registry import TASKS

_NAMES = ("sim", "replay", "engines", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchCommand:
    """Measures speed.

    Attributes:
        env: id of the task to measure; every one where None.
        out: file for the figures as JSON.
        json: print one JSON object as the last line.
    """

    env: str | None = None
    out: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Measures and prints a table."""
    name, rest = split_positional(arguments)
    usage = f"robossl bench [{'|'.join(_NAMES)}]"
    command = parse(BenchCommand(), rest, usage=usage, description="Measures speed as ratios, medians of one run.")
    name = name or "all"
    if name not in _NAMES:
        raise UnknownNameError("benchmark", name, _NAMES)
    figures: dict[str, Any] = {"command": f"robossl bench {name}", "machine": machine()}
    if name in ("sim", "all"):
        from robossl.bench import simulation

        ids = [command.env] if command.env else list(TASKS)
        figures["sim"] = {env_id: simulation.run(simulation.SimulationBench(env=env_id)) for env_id in ids}
    if name in ("replay", "all"):
        from robossl.bench import replay

        figures["replay"] = replay.run()
    if name in ("engines", "all"):
        from robossl.bench import engines

        figures["engines"] = engines.run()
        print("\n".join(engines.table(figures["engines"])))
    for part in ("sim", "replay"):
        _print_table(part, figures.get(part, {}))
    if command.out is not None:
        write_json(command.out, figures)
    if command.json:
        print_json(figures)
    return 0


def _print_table(prefix: str, figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            _print_table(f"{prefix}.{name}", value)
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            print(f"{prefix + '.' + name:<48} {text}")
