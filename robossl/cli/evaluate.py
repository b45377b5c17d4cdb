"""`robossl eval`: figures of a run, or of the random or scripted policy, on unseen worlds."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from robossl.cli.arguments import UsageError, parse, split_positional
from robossl.cli.compose import (
    agent_policy,
    load_agent,
    load_settings,
    make_policy,
    opened_env,
    prepare_processor,
    require_spec,
)
from robossl.cli.figures import print_summary
from robossl.cli.settings import TEST_SEED_OFFSET, require_seed
from robossl.core import Stream, UserError
from robossl.envs import EnvConfig
from robossl.training.evaluate import evaluate
from robossl.training.progress import Progress

_NUM_WORLDS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalCommand:
    """Evaluates a policy.

    Attributes:
        episodes: unseen worlds.
        seed: of the worlds; ones that training has not seen and no checkpoint was chosen on where None.
        checkpoint: best, last, or a step.
        policy: the run's agent, or random or scripted actions.
        env: id of an environment, where no run is given.
        deterministic: take the agent's mean action.
        num_worlds: worlds stepped together.
        json: print one JSON object as the last line.
    """

    episodes: int = 64
    seed: int | None = None
    checkpoint: str = "best"
    policy: Literal["agent", "random", "expert"] = "agent"
    env: str | None = None
    deterministic: bool = True
    num_worlds: int = _NUM_WORLDS
    json: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if min(self.episodes, self.num_worlds) < 1:
            raise UserError(f"episodes and num-worlds must be at least 1, got {self.episodes} and {self.num_worlds}")
        require_seed(self.seed)


def run(arguments: list[str]) -> int:
    """Evaluates and prints the figures."""
    run_name, rest = split_positional(arguments)
    command = parse(EvalCommand(), rest, usage="robossl eval [RUN]", description="Evaluates a policy on unseen worlds.")
    if run_name and command.env:
        raise UsageError("give a run or --env ID, not both: a run is evaluated in its own environment")
    summary = _of_run(Path(run_name), command) if run_name else _of_env(command)
    print_summary(summary, as_json=command.json)
    return 0


def _of_run(run_folder: Path, command: EvalCommand) -> dict[str, Any]:
    settings = load_settings(run_folder)
    prepare_processor(settings.num_threads)
    seed = settings.seed + TEST_SEED_OFFSET if command.seed is None else command.seed
    env_config = replace(settings.env, num_worlds=min(command.num_worlds, command.episodes))
    with opened_env(env_config, seed, Stream.EVAL) as env, Progress("eval", command.episodes, "episodes") as progress:
        require_spec(run_folder, env.spec)
        if command.policy == "agent":
            agent = load_agent(run_folder, settings, env, command.checkpoint)
            policy: Any = agent_policy(agent, settings, env, deterministic=command.deterministic)
        else:
            policy = make_policy(command.policy, env, seed=seed)
        result = evaluate(env, policy, command.episodes, progress=progress.add)
    return {**result.summary(), "policy": command.policy, "seed": seed, "run": str(run_folder)}


def _of_env(command: EvalCommand) -> dict[str, Any]:
    if command.env is None or command.policy == "agent":
        raise UsageError("give a run, or --env ID with --policy random or expert")
    seed = TEST_SEED_OFFSET if command.seed is None else command.seed
    env_config = EnvConfig(id=command.env, num_worlds=min(command.num_worlds, command.episodes))
    with opened_env(env_config, seed, Stream.EVAL) as env, Progress("eval", command.episodes, "episodes") as progress:
        policy = make_policy(command.policy, env, seed=seed)
        result = evaluate(env, policy, command.episodes, progress=progress.add)
    return {**result.summary(), "policy": command.policy, "seed": seed}
