"""Pretraining: objectives train an encoder on collected episodes, without labels and without rewards."""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from robossl.core.errors import UserError
from robossl.core.protocols import Tree
from robossl.data.replay import Replay
from robossl.nets import save_encoder
from robossl.nets.means import Means
from robossl.objectives import RepresentationLearner
from robossl.training.cadence import Every
from robossl.training.checkpoint import Checkpoint, Checkpoints
from robossl.training.interrupt import InterruptWish
from robossl.training.probe import Probe, ProbeReport
from robossl.training.progress import Progress
from robossl.training.resume import checkpoint_to_resume, open_tensorboard
from robossl.training.rng import global_rng_state, set_global_rng_state
from robossl.training.run_folder import clear_disk_errors
from robossl.training.stopwatch import Stopwatch
from robossl.training.tensorboard import TensorBoard

ENCODER_FOLDER = "encoder"

_KEPT = 2  # checkpoints: the newest, and one to fall back on


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig:
    """How long and how fast an encoder is pretrained. Intervals are in updates.

    Attributes:
        updates: after which it ends.
        batch_size: windows per update.
        learning_rate: at its highest.
        schedule: constant, or a cosine down to 0.
        log_every: between two lines of the log.
        probe_every: between probes; only at the end where None.
        checkpoint_every: between checkpoints; only when interrupted where None.
    """

    updates: int = 2_000
    batch_size: int = 256
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    log_every: int = 20
    probe_every: int | None = 500
    checkpoint_every: int | None = 500

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("updates", "batch_size", "log_every", "probe_every", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"pretrain.{name.replace('_', '-')} must be at least 1, got {value}")
        if not 0 < self.learning_rate < math.inf:
            raise UserError(f"pretrain.learning-rate must be positive, got {self.learning_rate}")

    def learning_rate_at(self, update: int) -> float:
        """Returns the learning rate of the update with this number, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * update / self.updates))


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainResult:
    """What pretraining leaves.

    Attributes:
        encoder: the folder that `load_encoder` reads.
        metrics: means of the last line's losses; none where the run was over before they were kept.
        report: of the last probe, where there was one.
        seconds: spent by every process that worked on it, each up to where the next one went on from.
    """

    encoder: Path
    metrics: dict[str, float]
    report: ProbeReport | None
    seconds: float


def pretrain(
    learner: RepresentationLearner,
    replay: Replay,
    run_folder: Path,
    config: PretrainConfig,
    *,
    generator: torch.Generator,
    probe: Probe | None = None,
    resume: bool = False,
) -> PretrainResult:
    """Trains `learner`'s encoder and writes it, the log and checkpoints into `run_folder`.

    Args:
        learner: freshly built as the run's config says, also when resuming.
        replay: of the episodes to learn from; the same ones when resuming.
        run_folder: gets encoder/, tb/ and checkpoints/.
        config: how long and how fast.
        generator: of the windows drawn.
        probe: on episodes that are not in `replay`.
        resume: continues from the last checkpoint, or from the start where none was written yet.

    Raises:
        Interrupted: after SIGINT, SIGTERM or SIGHUP, with a checkpoint written.
        UserError: if the folder holds another run, the data changed or have no whole window for an objective, training
            diverges, or the disk is full.
    """
    learner.require_windows(config.batch_size, replay.longest_episode)
    checkpoint = checkpoint_to_resume(run_folder, resume=resume)
    with ExitStack() as stack:
        stack.enter_context(clear_disk_errors(run_folder))
        tensorboard = open_tensorboard(run_folder, checkpoint, resume=resume)
        stack.callback(tensorboard.close)
        begun = checkpoint.step if checkpoint is not None else 0
        progress = stack.enter_context(Progress("pretrain", config.updates, "updates", initial=begun))
        wish = stack.enter_context(InterruptWish("saving a checkpoint"))
        run = _Pretraining(learner, replay, config, generator, probe, tensorboard, progress)
        resumed = checkpoint.path if checkpoint is not None else None
        checkpoints = Checkpoints(run_folder / "checkpoints", keep=_KEPT, resumed=resumed)
        if checkpoint is not None:
            run.restore(checkpoint)
        while run.step < config.updates:
            run.update()
            if run.is_checkpoint_due() or wish.received is not None:
                wish.raise_if_received(checkpoints.save(run.step, run.get_trees()))
        run.finish()
        checkpoints.save(run.step, run.get_trees())
        save_encoder(learner.encoder, run_folder / ENCODER_FOLDER)
    seconds = run.stopwatch.read()
    return PretrainResult(encoder=run_folder / ENCODER_FOLDER, metrics=run.metrics, report=run.report, seconds=seconds)


class _Pretraining:
    """The loop's body and its state.

    Attributes:
        step: updates made.
        metrics: of the last line of the log.
        report: of the last probe.
        stopwatch: from here on, and in those before.
    """

    def __init__(
        self,
        learner: RepresentationLearner,
        replay: Replay,
        config: PretrainConfig,
        generator: torch.Generator,
        probe: Probe | None,
        tensorboard: TensorBoard,
        progress: Progress,
    ) -> None:
        self._learner, self._replay, self._config, self._generator = learner, replay, config, generator
        self._probe, self._tensorboard, self._progress = probe, tensorboard, progress
        self._log, self._probing = Every(config.log_every), Every(config.probe_every)
        self._saving = Every(config.checkpoint_every)
        self._means = Means()
        self.step = 0
        self.metrics: dict[str, float] = {}
        self.report: ProbeReport | None = None
        self.stopwatch = Stopwatch()

    def update(self) -> None:
        config, learner = self._config, self._learner
        learner.set_learning_rate(config.learning_rate_at(self.step))
        batch = self._replay.sample_windows(config.batch_size, learner.window, self._generator)
        self._means.add(learner.update(batch))
        self.step += 1
        self._progress.add(1)
        if self._log.due(self.step):
            self._write_means()
        if self._probing.due(self.step):
            self._run_probe()

    def finish(self) -> None:
        """Probes at the end, unless that was just done."""
        self._write_means()
        if self.report is None or self._config.probe_every is None or self.step % self._config.probe_every:
            self._run_probe()

    def is_checkpoint_due(self) -> bool:
        return self._saving.due(self.step)

    def get_trees(self) -> dict[str, Tree]:
        self._require_finite()  # else there would be nothing to go on from
        training = {
            "generator": self._generator.get_state(),
            "rng": global_rng_state(),
            "means": self._means.get_state(),
            "transitions": len(self._replay),
            "seconds": self.stopwatch.get_state(),
            "metrics": dict(self.metrics),
        }
        return {"learner": self._learner.get_state(), "training": training}

    def restore(self, checkpoint: Checkpoint) -> None:
        training = checkpoint.tree("training")
        if training["transitions"] != len(self._replay):
            raise UserError(
                f"{checkpoint.path} was made from {training['transitions']} transitions, and the data now holds "
                f"{len(self._replay)}: pretraining cannot be continued on other data"
            )
        self._learner.set_state(checkpoint.tree("learner"))
        self._generator.set_state(training["generator"])
        set_global_rng_state(training["rng"])
        self._means.set_state(training.get("means", []), self._replay.device)  # runs begun before this was kept go on
        self.stopwatch.set_state(training.get("seconds", 0.0))  # likewise
        self.metrics = training.get("metrics", {})  # likewise
        self.step = checkpoint.step
        for every in (self._log, self._probing, self._saving):
            every.set_state(self.step)

    def _write_means(self) -> None:
        """Writes what was learnt since the last line, if anything was."""
        means, self._means = self._means.read(), Means()
        if not means:
            return
        self._require_finite()
        self.metrics = {**self.metrics, **means}
        values = {f"ssl/{name}": value for name, value in means.items()}
        self._tensorboard.add_scalars({**values, "ssl/lr": self._config.learning_rate_at(self.step - 1)}, self.step)
        self._progress.show(**{name: value for name, value in means.items() if name.endswith("_loss")})

    def _require_finite(self) -> None:
        if not all(parameter.isfinite().all() for parameter in self._learner.encoder.parameters()):
            raise UserError(f"pretraining diverged before update {self.step}: lower pretrain.learning-rate")

    def _run_probe(self) -> None:
        if self._probe is None:
            return
        self.report = self._probe(self._learner.encoder)
        self._tensorboard.add_scalars(self.report.scalars(), self.step)
