"""The figures and the film that a run ends with, from worlds that decided nothing before."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from robossl.cli.compose import agent_policy, load_agent, make_policy, opened_env
from robossl.cli.figures import final_figures
from robossl.cli.settings import TEST_SEED_OFFSET, TrainSettings
from robossl.core import BatchEnv, Policy, Stream, UserError
from robossl.core.files import write_json
from robossl.training.checkpoint import BEST
from robossl.training.evaluate import EvalResult, evaluate
from robossl.training.progress import Progress
from robossl.training.record import RecordConfig, record
from robossl.training.stopwatch import Stopwatch
from robossl.training.train import TrainResult


def final_test(settings: TrainSettings, run_folder: Path, result: TrainResult, stopwatch: Stopwatch) -> dict[str, Any]:
    """Evaluates the best checkpoint and a random policy on the same worlds, and films the former.

    The figures are in the run's `result.json` before there is a film, which may not fit on the disk.

    Args:
        settings: of the run.
        run_folder: its folder.
        result: what training left.
        stopwatch: of the run.

    Raises:
        UserError: if the figures cannot be written.
    """
    seed = settings.seed + TEST_SEED_OFFSET
    with opened_env(settings.env, seed, Stream.EVAL) as env:
        agent = load_agent(run_folder, settings, env, BEST)
        tested = _tested("test", env, agent_policy(agent, settings, env), settings.test_episodes)
        random = _tested("random policy", env, make_policy("random", env, seed=seed), settings.test_episodes)
        if tested.has_success or random.has_success or "success_rate" in (result.summary or {}):
            # told of anywhere, it is none where nothing is told
            tested, random = replace(tested, has_success=True), replace(random, has_success=True)
        figures = _figures(settings, run_folder, result, tested, random)
        _write(run_folder, figures, stopwatch)
        video = _film(settings, run_folder, seed, agent)
    if video is not None:
        figures["video"] = video
        _write(run_folder, figures, stopwatch)
    return figures


def _figures(
    settings: TrainSettings, run_folder: Path, result: TrainResult, tested: EvalResult, random: EvalResult
) -> dict[str, Any]:
    return {
        **final_figures(tested.summary(), random.summary()),
        "seed": settings.seed,
        "test_seed": settings.seed + TEST_SEED_OFFSET,
        "n_timesteps": result.step,
        "train_seconds": result.seconds,
        "pretrained": settings.pretrain is not None or settings.encoder_options.weights is not None,
        "run": str(run_folder),
        "tensorboard": str(run_folder / "tb"),
        "video": None,
        "checkpoint": str(run_folder / "checkpoints" / BEST),
    }


def _write(run_folder: Path, figures: dict[str, Any], stopwatch: Stopwatch) -> None:
    figures["seconds"] = stopwatch.read()
    write_json(run_folder / "result.json", figures)


def _tested(what: str, env: BatchEnv, policy: Policy, episodes: int) -> EvalResult:
    with Progress(what, episodes, "episodes") as progress:
        return evaluate(env, policy, episodes, progress=progress.add)


def _film(settings: TrainSettings, run_folder: Path, seed: int, agent: Any) -> str | None:
    with opened_env(replace(settings.env, num_worlds=1), seed, Stream.EVAL) as env:
        try:
            with Progress("film", 0, "steps") as progress:
                policy = agent_policy(agent, settings, env)
                film = record(env, policy, RecordConfig(episodes=1), progress=progress.add)
            gif, _ = film.save(run_folder / "videos", "final")
        except UserError as error:
            print(f"no video: {error}", file=sys.stderr)
            return None
    return str(gif)
