"""`robossl eval`: figures of a run, or of the random or scripted policy, on unseen worlds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from robossl.cli.acting import ActingConfig, opened_actor
from robossl.cli.arguments import FLAT, parse, split_positional
from robossl.cli.figures import print_summary
from robossl.core import UserError
from robossl.training.evaluate import evaluate
from robossl.training.progress import Progress


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
    command = parse(
        EvalCommand(),
        rest,
        usage="robossl eval [RUN]",
        description="Measures success, return and the task's metrics on unseen worlds: of a run's agent, or, without "
        "a run, of `--policy random` or `expert` in `--env ID`.",
    )
    run_folder = Path(run_name) if run_name else None
    num_worlds = min(command.num_worlds, command.episodes)
    with (
        opened_actor(run_folder, command.acting, num_worlds=num_worlds) as actor,
        Progress("eval", command.episodes, "episodes") as progress,
    ):
        result = evaluate(actor.env, actor.policy, command.episodes, progress=progress.add)
    summary = {**result.summary(), "policy": command.acting.policy, "seed": actor.seed}
    print_summary(summary | ({"run": run_name} if run_name else {}), as_json=command.json)
    return 0
