"""Evaluations in the course of training: figures, video, latents, and which one was the best so far."""

import io
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robossl.core.errors import UnknownNameError, UserError
from robossl.core.files import make_folder, write_atomic
from robossl.core.protocols import BatchEnv, Tree
from robossl.training.agent import Agent
from robossl.training.cadence import Every
from robossl.training.evaluate import EvalResult, Observer, evaluate, summary_names
from robossl.training.film import Film
from robossl.training.gif import Frames, encode_gif, enlarged, picture_grid
from robossl.training.latents import Latents, LatentSampler
from robossl.training.policy import AgentPolicy
from robossl.training.projector import write_projector
from robossl.training.rng import preserved_rng
from robossl.training.tensorboard import TensorBoard

_SCORES = {"return": "mean_reward", "length": "mean_ep_length"}  # SB3's names
_NUM_CAMERA_FRAMES, _CAMERA_COLUMNS, _CAMERA_WIDTH_PX = 16, 4, 320


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """What an evaluation during training does.

    Attributes:
        episodes: unseen worlds, the same ones every time.
        score: the entry of the summary that decides which checkpoint is the best; higher is better. One counts for no
            more than its mean with the evaluation before: a leap up is half luck. The first has none before and counts
            in full.
        video_height_px: of the cameras in the video of world 0; no video where None.
        video_every: evaluations from one video to the next; the last one is filmed as well.
        num_latents: about how many moments go to the probes and the projector; none where None.
    """

    episodes: int = 32
    score: str = "return_mean"
    video_height_px: int | None = 120
    video_every: int = 1
    num_latents: int | None = 1000

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("episodes", "video_every"):
            if getattr(self, name) < 1:
                raise UserError(f"evaluation.{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        if self.video_height_px is not None and self.video_height_px < 16:
            raise UserError(f"evaluation.video-height-px must be at least 16, got {self.video_height_px}")
        if self.num_latents is not None and self.num_latents < 1:
            raise UserError(f"evaluation.num-latents must be at least 1, got {self.num_latents}")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation gave: its episodes, the film of world 0 and the latents, where asked for."""

    result: EvalResult
    frames: Frames | None
    latents: Latents | None


class Evaluator:
    """Evaluates agents in an environment of its own; training is not disturbed.

    Args:
        env: in the evaluation's stream, with the observations of training.
        config: what to do.
        frame_stack: as in training.

    Attributes:
        no_video: why there will be no video although one is asked for; None where there is no such reason.

    Raises:
        UnknownNameError: if evaluations in `env` have no such score.
    """

    def __init__(self, env: BatchEnv, config: EvaluationConfig, *, frame_stack: int = 1) -> None:
        self.env, self.config, self._frame_stack = env, config, frame_stack
        if config.score not in summary_names(env.spec):
            raise UnknownNameError("evaluation.score", config.score, summary_names(env.spec))
        self.no_video: str | None = None
        if config.video_height_px is not None:
            self._try_camera(config.video_height_px)

    def __call__(self, agent: Agent, *, with_video: bool = True) -> Evaluation:
        """Evaluates `agent` as it is now; where success is what counts, and none was ever told of, nobody had any."""
        env, config = self.env, self.config
        policy = AgentPolicy(agent, env.spec.observation, frame_stack=self._frame_stack)
        film = sampler = None
        observers: list[Observer] = []
        with preserved_rng(), ExitStack() as stack:
            if config.num_latents is not None:
                sampler = LatentSampler(agent, policy, env, max_samples=config.num_latents)
                observers.append(sampler)
            if with_video and config.video_height_px is not None and self.no_video is None:
                film = stack.enter_context(Film(env, height_px=config.video_height_px))
                observers.append(film)
            result = evaluate(env, policy, config.episodes, observers=observers)
        if config.score == "success_rate" and not result.has_success:
            result = replace(result, has_success=True)
        return Evaluation(
            result,
            frames=film.frames if film is not None else None,
            latents=sampler.latents() if sampler is not None else None,
        )

    def _try_camera(self, height_px: int) -> None:
        try:
            Film(self.env, height_px=height_px).begin(self.env.reset())
        except UserError as error:
            self.no_video = str(error)


class Evaluations:
    """Evaluates whenever it is due, and writes what comes of it.

    Args:
        agent: who is evaluated.
        evaluator: how.
        every: environment steps between evaluations.
        run_folder: gets `evaluations.npz` (SB3's format) and `videos/`.
        tensorboard: gets scalars, the video, the robot's pictures and the projector.
        announce: shows a line to whoever watches.

    Attributes:
        summary: of the newest evaluation; None before the first.
    """

    def __init__(
        self,
        agent: Agent,
        evaluator: Evaluator,
        every: Every,
        *,
        run_folder: Path,
        tensorboard: TensorBoard,
        announce: Callable[[str], None],
    ) -> None:
        self._agent, self._evaluator, self._every = agent, evaluator, every
        self._run_folder, self._tensorboard, self._announce = run_folder, tensorboard, announce
        self._history: dict[str, list[Any]] = {"timesteps": [], "results": [], "ep_lengths": [], "successes": []}
        self._told_of_no_probe = False
        self._best: float | None = None
        self._before: float | None = None
        self.summary: dict[str, Any] | None = None

    def run_if_due(self, step: int) -> bool:
        """Evaluates if it is time; tells whether the agent is better than ever before.

        A run that goes on beyond its end was evaluated there.
        """
        is_filmed = len(self._history["timesteps"]) % self._evaluator.config.video_every == 0
        return self._every.due(step) and self.is_new(step) and self._run(step, with_video=is_filmed)

    def run_last(self, step: int) -> bool:
        """Evaluates at the end of training, unless that was just done."""
        return self.is_new(step) and self._run(step, with_video=True)

    def is_new(self, step: int) -> bool:
        """Tells whether there was no evaluation at `step` yet."""
        return step not in self._history["timesteps"]

    def _run(self, step: int, *, with_video: bool) -> bool:
        """Evaluates, writes, and tells whether the agent is better than ever before."""
        evaluation = self._evaluator(self._agent, with_video=with_video)
        if self._has_success:  # told of once, it is none where nothing is told
            evaluation = replace(evaluation, result=replace(evaluation.result, has_success=True))
        result, config = evaluation.result, self._evaluator.config
        self.summary = result.summary()
        self._write_scalars(evaluation, step)
        self._write_pictures(evaluation, step)
        for name, values in zip(self._history, (step, result.returns, result.lengths, result.success), strict=True):
            self._history[name].append(np.asarray(values).tolist())
        self._write_history()
        self._announce(_line(step, self.summary))
        self._tell_of_no_probe(evaluation.latents)
        return self._is_best(self.summary[config.score])

    @property
    def _has_success(self) -> bool:
        """Tells whether training, or any evaluation, was told of success."""
        return "success_rate" in (self.summary or {}) or bool(self._agent.ep_success_buffer)

    def _tell_of_no_probe(self, latents: Latents | None) -> None:
        if latents is not None and latents.names and latents.no_probe is not None and not self._told_of_no_probe:
            self._told_of_no_probe = True
            self._announce(f"no probe (eval/r2_) of evaluations: {latents.no_probe}")

    def _is_best(self, score: float) -> bool:
        """Takes note of an evaluation's score, and tells whether it counts for more than any before."""
        counted = score if self._before is None else min(score, (self._before + score) / 2)
        self._before = score
        if self._best is not None and counted <= self._best:
            return False
        self._best = counted
        return True

    def get_state(self) -> Tree:
        """Returns the evaluations so far."""
        return {
            "asked": self._every.get_state(),
            "best": self._best,
            "before": self._before,
            "summary": self.summary,
            "history": self._history,
        }

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self._every.set_state(state["asked"])
        self._best, self.summary, self._history = state["best"], state["summary"], state["history"]
        self._before = state.get("before")  # runs begun before this was kept go on
        self._write_history()

    def _write_scalars(self, evaluation: Evaluation, step: int) -> None:
        assert self.summary is not None, "written after an evaluation"
        values = {f"eval/{_SCORES.get(name, name)}": value for name, value in _means(self.summary).items()}
        if evaluation.latents is not None:
            values |= {f"eval/{name}": value for name, value in evaluation.latents.scores().items()}
        self._tensorboard.add_scalars(values, step)

    def _write_pictures(self, evaluation: Evaluation, step: int) -> None:
        frames, latents = evaluation.frames, evaluation.latents
        if frames is not None:
            fps = self._evaluator.env.spec.control_hz
            gif = encode_gif(frames, fps)
            self._tensorboard.add_gif("eval/rollout_video", gif, frames.shape[1:3], step)
            make_folder(self._run_folder / "videos")
            write_atomic(self._run_folder / "videos" / f"{step:09d}.gif", gif)
        if latents is not None:
            metadata = latents.metadata(evaluation.result)
            write_projector(self._tensorboard.folder, "eval/latents", latents.features, metadata, latents.thumbnails)
            if latents.thumbnails is not None:
                picked = np.linspace(0, len(latents.thumbnails) - 1, _NUM_CAMERA_FRAMES).round().astype(np.int64)
                grid = picture_grid(latents.thumbnails[picked], _CAMERA_COLUMNS)
                magnified = -(-_CAMERA_WIDTH_PX // grid.shape[1])
                self._tensorboard.add_image("eval/camera", enlarged(grid, grid.shape[0] * magnified), step)
        self._tensorboard.flush()

    def _write_history(self) -> None:
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: np.array(values) for name, values in self._history.items()}
        if not self._has_success:
            del arrays["successes"]  # as SB3 does
        np.savez(buffer, **arrays)
        write_atomic(self._run_folder / "evaluations.npz", buffer.getvalue())


def _line(step: int, summary: dict[str, Any]) -> str:
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in _means(summary).items())
    return f"evaluation at {step:,} steps: {figures}"


def _means(summary: dict[str, Any]) -> dict[str, float]:
    """Returns the summary's means by short names, each once."""
    means = {name.removesuffix("_mean"): value for name, value in summary.items() if name.endswith("_mean")}
    return {**{name: summary[name] for name in ("success_rate",) if name in summary}, **means}
