"""`robossl export`: from a run to a bundle that a robot runs, or a zip that plain stable-baselines3 loads."""

import importlib.metadata
import importlib.util
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from robossl.agents import PPO, SAC
from robossl.cli.arguments import FLAT, parse, split_positional
from robossl.cli.compose import (
    agent_policy,
    load_agent,
    load_checkpoint,
    load_settings,
    opened_env,
    prepare_processor,
)
from robossl.cli.figures import print_json
from robossl.cli.settings import TEST_SEED_OFFSET, TrainSettings, require_seed
from robossl.core import BatchEnv, Obs, Stream, UsageError, UserError
from robossl.core.contract import TrainedOn
from robossl.core.files import require_makeable
from robossl.core.registry import TASKS
from robossl.export import ExportConfig
from robossl.training.evaluate import EvalResult, evaluate
from robossl.training.progress import Progress

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_PHYSICS = {"mujoco": "mujoco", "bullet": "pybullet", "warp": "mujoco-warp"}  # the package of each engine
_NUM_WORLDS, _NUM_STEPS = 8, 16  # that a zip is compared in


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCommand:
    """Exports a run's agent.

    Attributes:
        config: what is written, and what counts as equal.
        format: `onnx` writes a bundle, `sb3` a zip of stock stable-baselines3 parts.
        checkpoint: best, last, or a step.
        output: the bundle's folder, or the zip; `bundle` or `sb3.zip` in the run where None.
        episodes: unseen worlds that agent and graph are compared in, and training worlds that ranges are taken from.
        seed: of the unseen worlds; as `eval`'s where None.
        json: print one JSON object as the last line.
    """

    config: Annotated[ExportConfig, FLAT] = field(default_factory=ExportConfig)
    format: Literal["onnx", "sb3"] = "onnx"
    checkpoint: str = "best"
    output: Path | None = None
    episodes: int = 64
    seed: int | None = None
    json: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.episodes < 1:
            raise UserError(f"episodes must be at least 1, got {self.episodes}")
        if self.format == "sb3" and self.config.quantise is not None:
            raise UserError("--quantise is of format onnx: stable-baselines3 has no integer policies")
        require_seed(self.seed)


def run(arguments: list[str]) -> int:
    """Exports and prints where it is and what the proof came to."""
    run_name, rest = split_positional(arguments)
    command = parse(
        ExportCommand(),
        rest,
        usage="robossl export RUN",
        description="Writes a run's agent as a bundle for a robot, and proves that it is equal.",
        shorthands={"-o": "--output", "--out": "--output"},
    )
    if run_name is None:
        raise UsageError("which run shall be exported? Give its folder")
    run_folder = Path(run_name)
    settings = load_settings(run_folder)
    prepare_processor(settings.num_threads)
    if command.format == "onnx":
        figures = _bundle(run_folder, settings, command, ["robossl", "export", *arguments])
    else:
        figures = _zip(run_folder, settings, command)
    for name, value in figures.items():
        if value is not None and not isinstance(value, dict):  # None is not known
            print(f"{name:<22} {f'{value:.4g}' if isinstance(value, float) else value}")
    if command.json:
        print_json(figures)
    return 0


def _bundle(run_folder: Path, settings: TrainSettings, command: ExportCommand, words: list[str]) -> dict[str, Any]:
    _require_extra()
    from robossl.export.bundle import Source, export_bundle, require_free

    quantised = f"-{command.config.quantise}" if command.config.quantise else ""
    output = command.output or run_folder / f"bundle{quantised}"
    require_free(output)
    seed = settings.seed + TEST_SEED_OFFSET if command.seed is None else command.seed
    env_config = replace(settings.env, num_worlds=min(settings.env.num_worlds, command.episodes))
    with (
        opened_env(env_config, settings.seed, Stream.TRAIN) as training,
        opened_env(env_config, seed, Stream.EVAL) as unseen,
        Progress("export", 3 * command.episodes, "episodes") as progress,
    ):
        source = Source(
            agent=load_agent(run_folder, settings, unseen, command.checkpoint),
            spec=unseen.spec,
            frame_stack=settings.frame_stack,
            trained_on=_origin(run_folder, settings, unseen, command.checkpoint),
            explore=_rollout(training, settings, command.episodes, progress, deterministic=False),
            rollout=_rollout(unseen, settings, command.episodes, progress, deterministic=True),
            command=shlex.join(words),
        )
        exported = export_bundle(source, output, command.config)
    return {
        "bundle": str(output),
        "digest": exported.bundle.digest,
        "policy_bytes": len(exported.bundle.policy),
        "inputs": ", ".join(f"{spec.name} {list(spec.shape)}" for spec in exported.bundle.contract.inputs),
        "commands": ", ".join(spec.name for spec in exported.bundle.contract.commands),
        "cases": {name: result.to_json()["max_action_difference"] for name, result in exported.cases.items()},
        **exported.loop.to_json(),
    }


def _zip(run_folder: Path, settings: TrainSettings, command: ExportCommand) -> dict[str, Any]:
    from robossl.agents.stock import save_stock

    output = command.output or run_folder / "sb3.zip"
    if output.exists():
        raise UserError(f"{output} exists: choose another file with -o")
    require_makeable(output)
    env_config = replace(settings.env, num_worlds=min(settings.env.num_worlds, _NUM_WORLDS))
    with opened_env(env_config, settings.seed + TEST_SEED_OFFSET, Stream.EVAL) as env:
        agent = load_agent(run_folder, settings, env, command.checkpoint)
        apart = save_stock(agent, output, _first_steps(agent))
    return {"zip": str(output), "bytes": output.stat().st_size, "max_action_difference": apart}


def _first_steps(agent: PPO | SAC) -> Obs:
    """Returns {key: [M, ...]}, what the agent sees in its worlds' first steps."""
    vec_env = agent.get_env()
    assert vec_env is not None
    steps: list[Any] = [vec_env.reset()]
    for _ in range(_NUM_STEPS - 1):
        action, _ = agent.predict(steps[-1], deterministic=True)
        steps.append(vec_env.step(action)[0])
    return {key: np.concatenate([obs[key] for obs in steps]) for key in steps[0]}


def _rollout(
    env: BatchEnv, settings: TrainSettings, episodes: int, progress: Progress, *, deterministic: bool
) -> Callable[[Any], EvalResult]:
    def rollout(predictor: Any) -> EvalResult:
        policy = agent_policy(predictor, settings, env, deterministic=deterministic)
        return evaluate(env, policy, episodes, progress=progress.add)

    return rollout


def _origin(run_folder: Path, settings: TrainSettings, env: BatchEnv, which: str) -> TrainedOn:
    package = _PHYSICS[settings.env.engine] if env.spec.id in TASKS else "gymnasium"
    return TrainedOn(
        env=env.spec.id,
        engine=f"{package} {importlib.metadata.version(package)}",
        render=env.spec.render,
        agent=settings.agent.kind,
        run="/".join(run_folder.resolve().parts[-2:]),
        step=load_checkpoint(run_folder, which).step,
        motion=env.spec.motion,
    )


def _require_extra() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"export needs {', '.join(missing)}: pip install 'robossl[deploy]'")
