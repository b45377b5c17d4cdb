"""`robossl bench`: speed as ratios, each measured in one run on this machine; how far engines agree; endurance."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeAlias

from robossl.cli import soak
from robossl.cli.arguments import parse, split_positional
from robossl.cli.figures import print_json
from robossl.cli.machine import machine
from robossl.cli.profiles import load_profile
from robossl.core import UnknownNameError, UsageError, UserError
from robossl.core.files import require_writable, write_json
from robossl.core.idle_cores import are_kept_awake, awake_cores
from robossl.core.registry import TASKS
from robossl.training.progress import Progress

_NAMES = ("sim", "replay", "learn", "engines", "loop", "soak", "all")
_PART_DESCRIPTIONS = {
    "replay": "Measures how many frames a second replay and stored episodes give.",
    "learn": "Measures updates a second of the presets, on the processor and on a GPU if there is one.",
    "engines": "Measures how far MuJoCo and PyBullet agree on the same bodies, and how far each is off what is exact.",
    "loop": "Measures a control period of the bridge, beside a simulated robot.",
}

Figures: TypeAlias = dict[str, Any]

_UNITS = {"steps_per_s": "steps/s", "frames_per_s": "frames/s", "speed_up": "times"}
_DESCRIPTION = "Measures speed as ratios, medians of one run; `soak` is a test of endurance with options of its own."


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchCommand:
    """Measures speed.

    Attributes:
        env: id of the task that `sim` measures; every one where None.
        engine: what `sim` measures: `mujoco` against bare loops and processes, `warp` by the number of worlds.
        worlds: numbers of worlds for `warp`; a list that suits the device where None.
        device: of `warp`: cpu, cuda or cuda:1; a GPU if there is one where None.
        markdown: print what `sim` measured once more in the end, as the table of docs/speed.md.
        out: file for the figures as JSON.
        json: print one JSON object as the last line.
    """

    env: str | None = None
    engine: Literal["mujoco", "warp"] = "mujoco"
    worlds: tuple[int, ...] | None = None
    device: str | None = None
    markdown: bool = False
    out: Path | None = None
    json: bool = False

    def __post_init__(self) -> None:
        """Refuses what would be ignored."""
        if self.engine != "warp" and (self.worlds is not None or self.device is not None):
            raise UsageError("--worlds and --device are for --engine warp")
        if self.engine == "warp" and self.markdown:
            raise UsageError("--markdown is for --engine mujoco")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCommand:
    """Measures something else.

    Attributes:
        out: file for the figures as JSON.
        json: print one JSON object as the last line.
    """

    out: Path | None = None
    json: bool = False


_SHORTHANDS = {"--num-worlds": "--worlds"}
_OF_SIM = {"--env", "--engine", "--worlds", "--device", "--markdown", *_SHORTHANDS}


def run(arguments: list[str]) -> int:
    """Measures and prints a table."""
    name, rest = split_positional(arguments)
    if name == "soak":
        with awake_cores():
            return soak.run(rest)
    usage = f"robossl bench {name or '[' + '|'.join(_NAMES) + ']'}"
    name = name or "all"
    if name not in _NAMES:
        raise UnknownNameError("benchmark", name, _NAMES)
    command = _command(name, rest, usage)
    out = None if command.out is None else require_writable(command.out)
    figures: dict[str, Any] = {"command": " ".join(["robossl bench", *arguments])}
    with nullcontext() if name == "loop" else awake_cores():  # robots let idle cores sleep
        figures["machine"] = machine()
        if isinstance(command, BenchCommand):
            figures |= _by_worlds(command) if command.engine == "warp" else _simulation(command.env)
    for part, measure in _PARTS.items():
        if name in (part, "all"):
            with nullcontext() if part == "loop" else awake_cores():
                figures[part] = measure() if name == part else _if_possible(part, measure)
    if isinstance(command, BenchCommand) and command.markdown and "tasks" in figures:
        print("\n".join(_markdown(figures["tasks"])))
    if out is not None:
        write_json(out, figures)
    if command.json:
        print_json(figures)
    return 0


def _command(name: str, words: list[str], usage: str) -> BenchCommand | PartCommand:
    """Reads what a benchmark is told; `sim`, and `all` with it, has options that the others refuse by name."""
    if name in _PARTS:
        flags = [word.partition("=")[0] for word in words]
        if meant := [flag for flag in flags if flag in _OF_SIM]:
            raise UsageError(f"{meant[0]} is for `sim` and `all`; `{name}` takes none")
        return parse(PartCommand(), words, usage=usage, description=_PART_DESCRIPTIONS[name])
    command = parse(BenchCommand(), words, usage=usage, description=_DESCRIPTION, shorthands=_SHORTHANDS)
    if command.env is not None and command.env not in TASKS:
        raise UnknownNameError("environment", command.env, TASKS)
    return command


def _replay() -> Figures:
    from robossl.bench import replay

    figures = replay.run()
    for key, value in figures.items():
        print(f"{'replay':<26} {key:<26} {value:,.4g}")
    return figures


def _learn() -> Figures:
    from robossl.cli import learners

    return learners.run()


def _engines() -> Figures:
    from robossl.bench import engines

    with Progress("bench engines", len(engines.SCENES), "scenes", has_lines=False) as progress:
        figures = engines.run(lambda: progress.add(1))
    print("\n".join(engines.table(figures)))
    return figures


def _loop() -> Figures:
    from robossl.bench import loop

    figures = loop.run(load_profile("panda"))
    print("\n".join(loop.table(figures)))
    return figures


_PARTS = {"replay": _replay, "learn": _learn, "engines": _engines, "loop": _loop}


def _if_possible(part: str, measure: Callable[[], Figures]) -> Figures:
    """Measures one part of many; says what it needs and is missing, and the others' figures are not lost."""
    try:
        return measure()
    except (UserError, ImportError) as error:
        why = " ".join(str(error).split())
        print(f"{part:<26} {why}")
        return {"unavailable": why}


def _simulation(env: str | None) -> dict[str, Any]:
    """Measures the tasks and prints a table as it grows; returns the lowest ratios, and below them each task's."""
    from robossl.bench import simulation
    from robossl.bench.setting import SimulationBench
    from robossl.bench.turns import told_of_turns

    if are_kept_awake():
        print("idle cores are kept awake, for the reference, too (docs/speed.md)")
    print(f"{'measure':<26} {'task':<26} {'robossl':>12} {'reference':>12} {'unit':<8} {'ratio':>7}")
    configs = [SimulationBench(env=env_id) for env_id in ([env] if env else TASKS)]
    tasks, per_row = {}, configs[0].num_turns
    total, passed = simulation.NUM_MEASURES * per_row * len(configs), count(per_row, per_row)
    with Progress("bench sim", total, "turns", has_lines=False) as progress, told_of_turns(lambda: progress.add(1)):

        def tell(env_id: str, name: str, figures: Figures) -> None:
            progress.result(_row(env_id, name, figures))
            progress.to(next(passed))  # what is unavailable makes no turns

        for config in configs:
            tasks[config.env] = simulation.run(config, partial(tell, config.env))
    return {**simulation.lowest(tasks), "model": list(tasks), "tasks": tasks}


def _by_worlds(command: BenchCommand) -> dict[str, Any]:
    """Measures engine and renderer `warp` and prints a table as it grows."""
    from robossl.bench.worlds import WorldsBench, run
    from robossl.envs.engines import require_installed

    require_installed("warp")
    from robossl.envs.warp.library import device_named

    device_named(command.device)  # a table of which nothing comes has no head either
    envs = [command.env] if command.env else list(TASKS)
    configs = [WorldsBench(env=env_id, device=command.device, num_worlds=command.worlds) for env_id in envs]
    print(f"{'task':<26} {'worlds':>8} {'steps/s':>12} {'bare steps/s':>14} {'ratio':>7} {'frames/s':>12}")
    tasks = {config.env: run(config, partial(_print_worlds, config.env)) for config in configs}
    return {"engine": "warp", "tasks": tasks}


def _print_worlds(env_id: str, number: int, figures: dict[str, Any]) -> None:
    rates = f"{figures['steps_per_s']:>12,.4g} {figures['reference_steps_per_s']:>14,.4g}"
    print(f"{env_id:<26} {number:>8,} {rates} {figures['ratio']:>7.2f} {figures['frames_per_s']:>12,.4g}", flush=True)


def _row(env_id: str, name: str, figures: dict[str, Any]) -> str:
    if "unavailable" in figures:
        return f"{name:<26} {env_id:<26} {figures['unavailable']}"
    ours, reference, unit = _rates(figures)
    rates = f"{ours:>12,.4g} {reference:>12,.4g} {_UNITS.get(unit, unit):<8} {figures['ratio']:>7.2f}"
    return f"{name:<26} {env_id:<26} {rates}{_aside(figures)}"


def _aside(figures: Figures) -> str:
    """Returns what else there is to say of a ratio."""
    others = {"bare_ratio": "bare loop", "untimed_ratio": "untimed"}
    return "".join(f" ({says}: {figures[name]:.2f})" for name, says in others.items() if name in figures)


def _rates(figures: Figures) -> tuple[float, float, str]:
    """Returns ours, the reference's, and their unit."""
    reference = next(key for key in figures if key.startswith("reference_"))
    unit = reference.removeprefix("reference_")
    ours = figures[unit] if unit in figures else max(figures[key] for key in figures if key.endswith(f"_{unit}"))
    return ours, figures[reference], unit


def _markdown(tasks: dict[str, Figures]) -> list[str]:
    """Returns the lines of a table, measure by measure."""
    lines = ["| measure | task | robossl | reference | | ratio |", "|---|---|---|---|---|---|"]
    for name in next(iter(tasks.values())):
        for env_id, measures in tasks.items():
            task, figures = env_id.removeprefix("robossl/").removesuffix("-v0"), measures[name]
            if "unavailable" in figures:
                lines.append(f"| `{name}` | {task} | | | | {figures['unavailable']} |")
                continue
            ours, reference, unit = _rates(figures)
            digits = 0 if reference >= 10 else 2
            rates = f"{ours:,.{digits}f} | {reference:,.{digits}f} | {_UNITS.get(unit, unit)}"
            lines.append(f"| `{name}` | {task} | {rates} | {figures['ratio']:.2f}{_aside(figures)} |")
    return lines
