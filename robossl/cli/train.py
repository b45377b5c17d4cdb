"""`robossl train`: the whole chain from settings to a trained agent and its figures."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from robossl.cli.arguments import FLAT, UsageError, parse, split_positional, take_option
from robossl.cli.artifacts import pretrained_encoder
from robossl.cli.compose import (
    agent_policy,
    device_name,
    load_agent,
    load_settings,
    make_agent,
    make_policy,
    opened_env,
    prepare_processor,
    require_spec,
    resolved,
    write_spec,
)
from robossl.cli.figures import final_figures, print_figures
from robossl.cli.presets import dump, load_preset, preset_names
from robossl.cli.settings import TEST_SEED_OFFSET, TrainSettings
from robossl.core import Stream, UserError
from robossl.core.files import write_atomic, write_json
from robossl.envs import EnvConfig
from robossl.training.checkpoint import BEST
from robossl.training.evaluate import evaluate
from robossl.training.evaluations import Evaluator
from robossl.training.record import RecordConfig, record
from robossl.training.run_folder import new_run_folder, write_command, write_system_json
from robossl.training.train import TrainResult, train

_ALIASES = {"-n": "--loop.n-timesteps", "--n-timesteps": "--loop.n-timesteps", "-f": "--log-folder"}
_DESCRIPTION = (
    "Trains an agent. `-n` and `--n-timesteps` mean --loop.n-timesteps, `-f` means --log-folder, `--env ID` replaces "
    "the environment, `--resume RUN` continues a run. Presets: {presets}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainCommand:
    """Trains an agent.

    Attributes:
        config: what to train, and how.
        no_pretrain: leave out the preset's pretraining: the control.
        verbose: print SB3's table of figures.
        json: print one JSON object as the last line.
    """

    config: Annotated[TrainSettings, FLAT] = field(default_factory=TrainSettings)
    no_pretrain: bool = False
    verbose: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCommand:
    """Continues a run with the settings that it was begun with.

    Attributes:
        n_timesteps: a new end of the run; as it was where None.
        device: another device; as it was where None.
        verbose: print SB3's table of figures.
        json: print one JSON object as the last line.
    """

    n_timesteps: int | None = None
    device: str | None = None
    verbose: bool = False
    json: bool = False


def run(arguments: list[str]) -> int:
    """Trains or resumes, then evaluates the best checkpoint on unseen worlds and films it."""
    began_s = time.monotonic()
    options: TrainCommand | ResumeCommand
    resume_from: Path | None = None
    resumed, rest = take_option(arguments, "--resume")
    if resumed is not None:
        run_folder, resume_from = _run_of(Path(resumed))
        options, settings = _resumed(run_folder, rest)
    else:
        options, settings, name = _begun(rest)
        run_folder = new_run_folder(settings.log_folder, name)
        _write_settings(run_folder, settings)
    write_command(run_folder, ["robossl", "train", *arguments])
    prepare_processor(settings.num_threads)
    resume = resumed is not None
    result = _train(settings, run_folder, resume=resume, resume_from=resume_from, verbose=options.verbose)
    figures = _test(settings, run_folder, result)
    figures["seconds"] = time.monotonic() - began_s
    write_json(run_folder / "result.json", figures)
    print_figures(figures, as_json=options.json)
    return 0


def _begun(arguments: Sequence[str]) -> tuple[TrainCommand, TrainSettings, str]:
    preset, rest = split_positional(arguments)
    env_id, rest = take_option(rest, "--env")
    settings = load_preset("train", preset, TrainSettings) if preset else TrainSettings()
    if env_id is not None:
        settings = replace(settings, env=EnvConfig(id=env_id))
    command = parse(
        TrainCommand(config=settings),
        [_ALIASES.get(word, word) for word in rest],
        usage="robossl train [PRESET]",
        description=_DESCRIPTION.format(presets=", ".join(preset_names("train"))),
    )
    settings = command.config
    if command.no_pretrain:
        settings = replace(settings, pretrain=None)
    if preset is None and env_id is None and not rest:
        raise UsageError(f"what shall be trained? Give a preset ({', '.join(preset_names('train'))}) or --env ID")
    name = Path(preset).stem if preset else settings.env.id.rpartition("/")[2]
    if settings.pretrain is None and settings.encoder_options.weights is None:
        options = replace(settings.encoder_options, mode="scratch", learning_rate=None)
        name += "-no-pretrain" if command.no_pretrain else ""
        settings = replace(settings, encoder_options=options)
    return command, resolved(settings), name


def _resumed(run_folder: Path, arguments: Sequence[str]) -> tuple[ResumeCommand, TrainSettings]:
    settings = load_settings(run_folder)
    words = ["--n-timesteps" if word == "-n" else word for word in arguments]
    command = parse(
        ResumeCommand(), words, usage="robossl train --resume RUN", description="Continues a run where it stopped."
    )
    if command.n_timesteps is not None:
        settings = replace(settings, loop=replace(settings.loop, n_timesteps=command.n_timesteps))
    return command, replace(settings, device=device_name(command.device or settings.device))


def _write_settings(run_folder: Path, settings: TrainSettings) -> None:
    write_atomic(run_folder / "config.yaml", dump(settings).encode())
    write_system_json(run_folder)


def _run_of(path: Path) -> tuple[Path, Path | None]:
    """Returns the run's folder and, where `path` is one of its checkpoints, that one."""
    return (path.parents[1], path) if (path / "done").is_file() else (path, None)


def _train(
    settings: TrainSettings, run_folder: Path, *, resume: bool, resume_from: Path | None, verbose: bool
) -> TrainResult:
    weights = settings.encoder_options.weights
    if settings.pretrain is not None:
        weights = pretrained_encoder(settings, settings.pretrain)
    eval_config = replace(settings.env, num_worlds=min(settings.env.num_worlds, settings.evaluation.episodes))
    with (
        opened_env(settings.env, settings.seed, Stream.TRAIN) as env,
        opened_env(eval_config, settings.seed, Stream.SELECT) as eval_env,
    ):
        if resume:
            require_spec(run_folder, env.spec)
        else:
            write_spec(run_folder, env.spec)
        agent = make_agent(settings, env, weights)
        return train(
            agent,
            run_folder,
            settings.loop,
            evaluator=Evaluator(eval_env, settings.evaluation, frame_stack=settings.frame_stack),
            hparams=_hparams(settings),
            resume=resume,
            resume_from=resume_from,
            verbose=verbose,
        )


def _test(settings: TrainSettings, run_folder: Path, result: TrainResult) -> dict[str, Any]:
    """Evaluates and films the best checkpoint on worlds that neither training nor the choice of it has seen."""
    seed = settings.seed + TEST_SEED_OFFSET
    with opened_env(settings.env, seed, Stream.EVAL) as env:
        agent = load_agent(run_folder, settings, env, BEST)
        tested = evaluate(env, agent_policy(agent, settings, env), settings.test_episodes)
        random = evaluate(env, make_policy("random", env, seed=seed), settings.test_episodes)
        video = _film(settings, run_folder, seed, agent)
    return {
        **final_figures(tested.summary(), random.summary()),
        "seed": settings.seed,
        "test_seed": seed,
        "n_timesteps": result.step,
        "train_seconds": result.seconds,
        "pretrained": settings.pretrain is not None or settings.encoder_options.weights is not None,
        "run": str(run_folder),
        "tensorboard": str(run_folder / "tb"),
        "video": video,
        "checkpoint": str(run_folder / "checkpoints" / BEST),
    }


def _film(settings: TrainSettings, run_folder: Path, seed: int, agent: Any) -> str | None:
    with opened_env(replace(settings.env, num_worlds=1), seed, Stream.EVAL) as env:
        try:
            film = record(env, agent_policy(agent, settings, env), RecordConfig(episodes=1))
        except UserError as error:
            print(f"no video: {error}", file=sys.stderr)
            return None
    gif, _ = film.save(run_folder / "videos", "final")
    return str(gif)


def _hparams(settings: TrainSettings) -> dict[str, bool | int | float | str]:
    agent = settings.agent
    return {
        "env": settings.env.id,
        "agent": agent.kind,
        "seed": settings.seed,
        "learning_rate": agent.learning_rate,
        "batch_size": agent.batch_size,
        "gamma": agent.gamma,
        "frame_stack": settings.frame_stack,
        "encoder": settings.encoder_options.mode,
        "pretrained": settings.pretrain is not None or settings.encoder_options.weights is not None,
        "objectives": ", ".join(objective.kind for objective in settings.objectives) or "none",
    }
