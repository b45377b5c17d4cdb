"""Reinforcement learning as a run: logged, evaluated, checkpointed, interruptible and resumable bit for bit."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from robossl.core.errors import UserError
from robossl.training.agent import Agent
from robossl.training.cadence import Every
from robossl.training.callbacks import TrainingCallback
from robossl.training.checkpoint import BEST, Checkpoint, Checkpoints, find_checkpoint
from robossl.training.evaluations import Evaluations, Evaluator
from robossl.training.interrupt import InterruptWish
from robossl.training.monitor import MonitorFile
from robossl.training.progress import Progress
from robossl.training.resume import checkpoint_to_resume, open_tensorboard
from robossl.training.rollout_log import RolloutLog
from robossl.training.run_folder import clear_disk_errors
from robossl.training.run_state import RunState, Stateful
from robossl.training.stopwatch import Stopwatch
from robossl.training.tensorboard import HParams, TensorBoard, make_logger

_FINAL_METRICS = ("eval/mean_reward", "eval/success_rate", "rollout/ep_rew_mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainLoopConfig:
    """How long a run is, and what happens how often. All in environment steps over all worlds together.

    Attributes:
        n_timesteps: after which the run ends.
        log_every: between two lines of the log.
        eval_every: between evaluations; only at the end where None.
        checkpoint_every: between checkpoints; only at the end, at a new best and when interrupted where None.
        keep_checkpoints: how many of the newest stay, beside the best.
    """

    n_timesteps: int = 100_000
    log_every: int = 2_000
    eval_every: int | None = 20_000
    checkpoint_every: int | None = 10_000
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("n_timesteps", "log_every", "eval_every", "checkpoint_every", "keep_checkpoints"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"loop.{name.replace('_', '-')} must be at least 1, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a finished run leaves.

    Attributes:
        step: environment steps made.
        checkpoint: the last one.
        best: the best one by evaluation; the last one where there was no evaluation.
        summary: of the last evaluation, where there was one.
        seconds: spent in `train` by every process that worked on the run, each up to where the next one went on from.
    """

    step: int
    checkpoint: Path
    best: Path
    summary: dict[str, Any] | None
    seconds: float


def train(
    agent: Agent,
    run_folder: Path,
    config: TrainLoopConfig,
    *,
    evaluator: Evaluator | None = None,
    hparams: HParams | None = None,
    resume: bool = False,
    resume_from: Path | None = None,
    stopwatch: Stopwatch | None = None,
    callbacks: Sequence[BaseCallback] = (),
    verbose: bool = False,
) -> TrainResult:
    """Trains `agent` in its environment and writes everything into `run_folder`.

    Args:
        agent: freshly built as the run's config says, also when resuming.
        run_folder: exists; gets tb/, videos/, checkpoints/, evaluations.npz and train.monitor.csv.
        config: how long and how often.
        evaluator: how evaluations go; there are none where None.
        hparams: shown in TensorBoard beside the final metrics.
        resume: continues from the last checkpoint, or from the start where none was written yet.
        resume_from: the checkpoint to continue from, where it is not the last one.
        stopwatch: of the whole run, where that is more than training.
        callbacks: more of SB3's; their state is not saved.
        verbose: whether SB3's table is printed.

    Raises:
        Interrupted: after SIGINT, SIGTERM or SIGHUP, with a checkpoint written.
        UserError: if the folder holds another run or one of another version or environment, or the disk is full.
        CorruptFileError: if the checkpoint is damaged; it names an older one.
    """
    seconds = Stopwatch()
    checkpoint = checkpoint_to_resume(run_folder, resume=resume, resume_from=resume_from)
    with ExitStack() as stack:
        stack.enter_context(clear_disk_errors(run_folder))
        tensorboard = open_tensorboard(run_folder, checkpoint, resume=resume)
        stack.callback(tensorboard.close)
        agent.set_logger(make_logger(tensorboard, verbose=verbose))
        if hparams is not None and checkpoint is None:
            tensorboard.add_hparams(hparams, _FINAL_METRICS, trial="/".join(run_folder.resolve().parts[-2:]))
        begun = checkpoint.step if checkpoint is not None else 0
        progress = stack.enter_context(Progress("train", config.n_timesteps, "steps", initial=begun))
        evaluations = _evaluations(agent, evaluator, config, run_folder, tensorboard=tensorboard, progress=progress)
        wish = stack.enter_context(InterruptWish("saving a checkpoint before the next rollout"))
        watches = {"train_seconds": seconds, "seconds": stopwatch or Stopwatch()}
        callback = _callback(
            agent,
            config,
            run_folder,
            checkpoint,
            evaluations=evaluations,
            watches=watches,
            progress=progress,
            wish=wish,
        )
        stack.callback(callback.close)
        remaining = max(config.n_timesteps - agent.num_timesteps, 0)
        agent.learn(remaining, CallbackList([callback, *callbacks]), None, reset_num_timesteps=False)
        saved = callback.finish()
        wish.raise_if_received(saved)
    return TrainResult(
        step=agent.num_timesteps,
        checkpoint=saved,
        best=find_checkpoint(run_folder, BEST) or saved,
        summary=evaluations.summary if evaluations is not None else None,
        seconds=seconds.read(),
    )


def _evaluations(
    agent: Agent,
    evaluator: Evaluator | None,
    config: TrainLoopConfig,
    run_folder: Path,
    *,
    tensorboard: TensorBoard,
    progress: Progress,
) -> Evaluations | None:
    if evaluator is None:
        return None
    if evaluator.no_video is not None:
        progress.say(f"no video of evaluations: {evaluator.no_video}")
    every = Every(config.eval_every)
    return Evaluations(agent, evaluator, every, run_folder=run_folder, tensorboard=tensorboard, announce=progress.say)


def _callback(
    agent: Agent,
    config: TrainLoopConfig,
    run_folder: Path,
    checkpoint: Checkpoint | None,
    *,
    evaluations: Evaluations | None,
    watches: Mapping[str, Stopwatch],
    progress: Progress,
    wish: InterruptWish,
) -> TrainingCallback:
    spec = agent.get_env().get_attr("spec")[0]
    monitor = MonitorFile(run_folder / "train.monitor.csv", env_id=spec.id, metrics=spec.metrics)
    log = RolloutLog(agent, Every(config.log_every))
    parts: dict[str, Stateful] = {"monitor": monitor, "log": log, **watches}
    if evaluations is not None:
        parts["evaluations"] = evaluations
    resumed = checkpoint.path if checkpoint is not None else None
    checkpoints = Checkpoints(run_folder / "checkpoints", keep=config.keep_checkpoints, resumed=resumed, spec=spec)
    state = RunState(agent, checkpoints, Every(config.checkpoint_every), parts)
    if checkpoint is not None:
        checkpoint.require_spec(spec)
        state.restore(checkpoint)
        checkpoints.go_on()
    monitor.open()
    return TrainingCallback(state, monitor=monitor, log=log, evaluations=evaluations, progress=progress, wish=wish)
