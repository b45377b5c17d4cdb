"""`robossl eval`: figures of a run, or of the random or scripted policy, on unseen worlds."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from robossl.cli.acting import ActingConfig, Actor, acting_like, opened_actor
from robossl.cli.arguments import FLAT, parse, split_positional
from robossl.cli.figures import evaluation_units, print_summary
from robossl.core import UserError
from robossl.envs.config import EngineName
from robossl.training.evaluate import EvalResult, evaluate
from robossl.training.progress import Progress

_COMPARED = ("success_rate", "success_rate_ci", "return_mean", "return_mean_ci")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalCommand:
    """Evaluates a policy.

    Attributes:
        acting: who acts, and where.
        episodes: unseen worlds.
        num_worlds: worlds stepped together.
        json: print one JSON object as the last line.
    """

    acting: Annotated[ActingConfig, FLAT] = field(default_factory=ActingConfig)
    episodes: int = 64
    num_worlds: int = 64
    json: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if min(self.episodes, self.num_worlds) < 1:
            raise UserError(f"episodes and num-worlds must be at least 1, got {self.episodes} and {self.num_worlds}")


def run(arguments: list[str]) -> int:
    """Evaluates and prints the figures."""
    run_name, rest = split_positional(arguments)
    run_folder = Path(run_name) if run_name else None
    command = parse(
        EvalCommand(acting=acting_like(run_folder)),
        rest,
        usage="robossl eval [RUN]",
        description="Measures success, return and the task's metrics on unseen worlds: of a run's agent, or, without "
        "a run, of `--policy random` or `expert` in `--env ID`. `--engine bullet` or `warp` measures in another "
        "physics, too, `--delay-ms 40` with late commands, `--profile panda` with joints led as that robot's guard "
        "does, and by how much that differs on the same worlds: with `--engine` from the run's own engine under the "
        "same delay and profile, else from no delay, or, with `--profile`, from the run as it was trained.",
    )
    summary = _figures(run_folder, command)
    summary |= {"run": run_name} if run_name else {}
    print_summary(summary, as_json=command.json, units=evaluation_units(summary["env"]))
    return 0


def _figures(run_folder: Path | None, command: EvalCommand) -> dict[str, Any]:
    """Evaluates, and where engine, delay or profile are not the run's, once more to compare: on the same worlds."""
    acting = command.acting
    result, actor = _evaluated(run_folder, command)
    figures = {**result.summary(), "policy": acting.policy, "seed": actor.seed}
    moved = acting.engine not in (None, actor.home)
    figures |= {"engine": acting.engine} if moved else {}
    figures |= {"delay_ms": actor.delay_ms} if acting.delay_ms else {}
    figures |= {"profile": acting.profile} if acting.profile else {}
    if not moved and not acting.delay_ms and not acting.profile:
        return figures
    name, differs_in, compared = _compared(acting, actor.home if moved else None)
    reference, _ = _evaluated(run_folder, replace(command, acting=compared))
    there = {f"{name}_{key}": value for key, value in reference.summary().items() if key in _COMPARED}
    return {**figures, "differs_in": differs_in, **there, **result.against(reference)}


def _compared(acting: ActingConfig, home: EngineName | None) -> tuple[str, str, ActingConfig]:
    """Returns what an evaluation is compared with: its name, what differs, and who acts where.

    Args:
        acting: as it was asked for.
        home: the engine of the run where another was asked for: then nothing but the engine differs.
    """
    if home is not None:
        return home, "engine", replace(acting, engine=home)
    if acting.profile is None:
        return "undelayed", "delay", replace(acting, delay_ms=0.0)
    differs_in = "delay and profile" if acting.delay_ms else "profile"
    return "as_trained", differs_in, replace(acting, profile=None, delay_ms=acting.delay_ms and None)


def _evaluated(run_folder: Path | None, command: EvalCommand) -> tuple[EvalResult, Actor]:
    num_worlds = min(command.num_worlds, command.episodes)
    with (
        opened_actor(run_folder, command.acting, num_worlds=num_worlds) as actor,
        Progress(_label(command.acting), command.episodes, "episodes") as progress,
    ):
        return evaluate(actor.env, actor.policy, command.episodes, progress=progress.add), actor


def _label(acting: ActingConfig) -> str:
    """Names an evaluation for its bar: where two are made, it tells them apart."""
    delay = "" if acting.delay_ms is None else f"{acting.delay_ms:g} ms late" if acting.delay_ms else "undelayed"
    return " ".join(["eval", *filter(None, (acting.engine, delay, acting.profile))])
