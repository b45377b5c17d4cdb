"""`robossl record`: videos of a run, or of the random or scripted policy."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from robossl.cli.arguments import FLAT, UsageError, parse, split_positional
from robossl.cli.compose import (
    agent_policy,
    load_agent,
    load_settings,
    make_policy,
    opened_env,
    prepare_processor,
    require_spec,
)
from robossl.cli.figures import print_json
from robossl.cli.settings import TEST_SEED_OFFSET
from robossl.core import Stream
from robossl.envs import EnvConfig
from robossl.training.progress import Progress
from robossl.training.record import RecordConfig, record


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCommand:
    """Films a policy.

    Attributes:
        config: what is filmed.
        seed: of the world; one that training has not seen where None.
        checkpoint: best, last, or a step.
        policy: the run's agent, or random or scripted actions.
        env: id of an environment, where no run is given.
        out: folder of the video; the run's videos/ where None.
        json: print one JSON object as the last line.
    """

    config: Annotated[RecordConfig, FLAT] = field(default_factory=RecordConfig)
    seed: int | None = None
    checkpoint: str = "best"
    policy: Literal["agent", "random", "expert"] = "agent"
    env: str | None = None
    out: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Films and prints where the video is."""
    run_name, rest = split_positional(arguments)
    command = parse(RecordCommand(), rest, usage="robossl record [RUN]", description="Films a policy: GIF and PNG.")
    if run_name is None and (command.env is None or command.policy == "agent"):
        raise UsageError("give a run, or --env ID with --policy random or expert")
    settings = load_settings(Path(run_name)) if run_name else None
    env_config = replace(settings.env, num_worlds=1) if settings else EnvConfig(id=str(command.env), num_worlds=1)
    seed = command.seed if command.seed is not None else (settings.seed if settings else 0) + TEST_SEED_OFFSET
    prepare_processor(settings.num_threads if settings else None)
    with opened_env(env_config, seed, Stream.EVAL) as env, Progress("record", 0, "steps") as progress:
        if settings is not None and run_name is not None and command.policy == "agent":
            require_spec(Path(run_name), env.spec)
            agent = load_agent(Path(run_name), settings, env, command.checkpoint)
            policy: Any = agent_policy(agent, settings, env, deterministic=command.config.deterministic)
        else:
            policy = make_policy(command.policy, env, seed=seed)
        film = record(env, policy, command.config, progress=progress.add)
    folder = command.out or (Path(run_name) / "videos" if run_name else Path("videos"))
    gif, sheet = film.save(folder, f"{command.policy}-{seed}")
    print(f"video {gif}\nsheet {sheet}")
    if command.json:
        print_json({"video": str(gif), "sheet": str(sheet), "frames": len(film.frames), "fps": film.fps})
    return 0
