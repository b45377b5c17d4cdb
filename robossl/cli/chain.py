"""The chain: environments, pretrained encoder, agent, training.

Everything that the settings describe is built once before anything is computed or written: a mistake in them costs
seconds, and leaves no folder behind.
"""

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robossl.agents.observations import observation_shapes
from robossl.agents.sac.config import SACConfig
from robossl.cli.artifacts import pretrain_settings, pretrained_encoder
from robossl.cli.compose import load_settings, make_agent, make_policy, note_single_frames, opened_env
from robossl.cli.presets import dump
from robossl.cli.pretraining import new_learner
from robossl.cli.settings import PretrainStage, TrainSettings
from robossl.core import BatchEnv, CorruptFileError, Stream, UserError
from robossl.core.files import read_json, write_atomic, write_json
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.nets import MultimodalEncoder, load_encoder, save_encoder
from robossl.training.evaluations import Evaluator
from robossl.training.interrupt import Interrupted, naming
from robossl.training.run_folder import new_run_folder, only_writer, write_command, write_system_json
from robossl.training.stopwatch import Stopwatch
from robossl.training.train import TrainResult, train

ENCODER_FOLDER = "encoder"
_STOPWATCH = "stopwatch.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be trained, and whether that begins or goes on.

    Attributes:
        settings: of the run.
        name: of the folder of its runs, where one begins.
        resumed: the folder of the run that goes on.
        resume_from: the checkpoint that it goes on from, where that is not the last one.
        verbose: whether SB3's table is printed.
    """

    settings: TrainSettings
    name: str = ""
    resumed: Path | None = None
    resume_from: Path | None = None
    verbose: bool = False


def run_chain(order: Order, command: Sequence[str], stopwatch: Stopwatch) -> tuple[Path, TrainResult]:
    """Collects, pretrains and trains, as far as that is not done yet; returns the run's folder and what it holds.

    Args:
        order: what to do.
        command: goes to the run's `command.txt`.
        stopwatch: of the run.

    Raises:
        Interrupted: after SIGINT, SIGTERM or SIGHUP; it names the run to resume.
        UserError: if the settings do not fit together, the disk is full, another process is at work on the run, or
            what is there cannot be continued.
    """
    settings = order.settings
    eval_config = replace(settings.env, num_worlds=min(settings.env.num_worlds, settings.evaluation.episodes))
    with (
        opened_env(settings.env, settings.seed, Stream.TRAIN) as env,
        opened_env(eval_config, settings.seed, Stream.SELECT) as eval_env,
    ):
        evaluator = Evaluator(eval_env, settings.evaluation, frame_stack=settings.frame_stack)
        _require_buildable(settings, env, order.resumed)
        _tell_of_no_update(settings)
        if order.resumed is None:
            note_single_frames(settings.frame_stack, env.spec.observation)
        run_folder = order.resumed or _begin(settings, order.name)
        with naming(run_folder), only_writer(run_folder):
            write_command(run_folder, command)
            write_system_json(run_folder)
            _keep_end(run_folder, settings)
            _put_back(stopwatch, run_folder)
            try:
                return run_folder, _train(order, run_folder, env, evaluator, stopwatch)
            except (Interrupted, KeyboardInterrupt):
                _keep(stopwatch, run_folder)
                raise


def _train(order: Order, run_folder: Path, env: BatchEnv, evaluator: Evaluator, stopwatch: Stopwatch) -> TrainResult:
    settings = order.settings
    agent = make_agent(settings, env, _encoder(settings, run_folder, env))
    _keep(stopwatch, run_folder)
    return train(
        agent,
        run_folder,
        settings.loop,
        evaluator=evaluator,
        hparams=_hparams(settings),
        resume=order.resumed is not None,
        resume_from=order.resume_from,
        stopwatch=stopwatch,
        verbose=order.verbose,
    )


def _keep(stopwatch: Stopwatch, run_folder: Path) -> None:
    """Writes what the run took so far, for as long as no checkpoint of its training tells it."""
    write_json(run_folder / _STOPWATCH, {"seconds": stopwatch.read()})


def _put_back(stopwatch: Stopwatch, run_folder: Path) -> None:
    """Adds what a run that goes on took before; a checkpoint that is put back later knows better.

    Raises:
        CorruptFileError: if the file does not hold seconds.
    """
    path = run_folder / _STOPWATCH
    if path.is_file():
        try:
            stopwatch.set_state(read_json(path)["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(f"{path} does not hold the seconds of a run") from error


def _begin(settings: TrainSettings, name: str) -> Path:
    run_folder = new_run_folder(settings.log_folder, name)
    write_atomic(run_folder / "config.yaml", dump(settings).encode())
    return run_folder


def _keep_end(run_folder: Path, settings: TrainSettings) -> None:
    """Notes another end of a run that goes on, so that whoever resumes it next need not tell it again."""
    begun = load_settings(run_folder)
    loop = replace(begun.loop, n_timesteps=settings.loop.n_timesteps)
    if loop != begun.loop:
        write_atomic(run_folder / "config.yaml", dump(replace(begun, loop=loop)).encode())


def _encoder(settings: TrainSettings, run_folder: Path, env: BatchEnv) -> MultimodalEncoder | None:
    """Returns the pretrained encoder that the run keeps, and hands it one first where it begins."""
    if settings.encoder_options.mode == "scratch":
        return None
    kept = run_folder / ENCODER_FOLDER
    if not _holds_encoder(kept):
        source = settings.encoder_options.weights
        if settings.pretrain is not None:
            source = pretrained_encoder(settings, settings.pretrain, env.spec)
        assert source is not None, "was checked before the run began"
        save_encoder(load_encoder(source), kept)
    return load_encoder(kept)


def _require_buildable(settings: TrainSettings, env: BatchEnv, resumed: Path | None) -> None:
    """Builds agent and pretraining on an encoder that has learned nothing yet, and drops them.

    A run that goes on keeps the encoder that it was given, so `weights` may be gone by then.

    Raises:
        UserError: if they do not fit the environment or each other.
    """
    stage, weights = settings.pretrain, settings.encoder_options.weights
    if stage is not None and weights is not None:
        raise UserError("encoder-options.weights and a pretrain block exclude each other: add --no-pretrain")
    encoder = None
    if weights is not None:
        kept = None if resumed is None else resumed / ENCODER_FOLDER
        encoder = load_encoder(kept if kept is not None and _holds_encoder(kept) else weights)
    if stage is not None:
        encoder = _untrained_encoder(settings, stage, env)
        make_policy(stage.collect.policy, env, seed=settings.seed)
    make_agent(settings, env, encoder)
    gc.collect()  # its replay may be large, and SB3's objects point at each other


def _tell_of_no_update(settings: TrainSettings) -> None:
    """Says so where the run ends before its agent begins to learn.

    Raises:
        UserError: if it would begin before there is anything to learn from.
    """
    agent, num_worlds, end = settings.agent, settings.env.num_worlds, settings.loop.n_timesteps
    if isinstance(agent, SACConfig) and end <= agent.first_update(num_worlds) - agent.train_freq * num_worlds:
        starts = f"agent.learning-starts is {agent.learning_starts:,}"
        print(f"nothing will be learned: the run ends after {end:,} steps, {starts}", file=sys.stderr)


def _holds_encoder(folder: Path) -> bool:
    return (folder / "encoder.json").is_file()


def _untrained_encoder(settings: TrainSettings, stage: PretrainStage, env: BatchEnv) -> MultimodalEncoder:
    """Builds what would be pretrained, and its objectives on the way."""
    space: Any = SB3VecEnv(env, frame_stack=settings.frame_stack).observation_space
    config = pretrain_settings(settings, stage)
    return new_learner(config, observation_shapes(space), env.spec.action.shape[0]).encoder


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
