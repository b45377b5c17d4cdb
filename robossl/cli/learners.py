"""`robossl bench learn`: the presets' agents and pretrainings, built on each device and measured."""

from dataclasses import replace
from functools import partial

import torch

from robossl.agents.observations import observation_shapes
from robossl.bench import learning
from robossl.bench.learning import Figures, Learners, LearningBench
from robossl.cli.artifacts import pretrain_settings
from robossl.cli.compose import make_agent, opened_env, prepare_processor
from robossl.cli.presets import load_preset
from robossl.cli.pretraining import new_learner
from robossl.cli.settings import TrainSettings
from robossl.core import BatchEnv, Stream
from robossl.core.processor import num_cores

_PRESETS = ("quickstart", "arm-push", "arm-push-pixels")


def run() -> dict[str, dict[str, Figures]]:
    """Measures each preset on the processor, and on the GPU where there is one, and prints a table as it grows.

    Returns:
        {preset: {part: figures}}.
    """
    prepare_processor(None)
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    found = {}
    for name in _PRESETS:
        settings = load_preset("train", name, TrainSettings)
        threaded = replace(settings.env, num_threads=num_cores())
        with opened_env(threaded, settings.seed, Stream.TRAIN) as env:
            found[name] = learning.run(LearningBench(), partial(_learners, settings, env), devices)
        for part, figures in found[name].items():
            print(_row(name, part, figures), flush=True)
    return found


def _row(preset: str, part: str, figures: Figures) -> str:
    rates = [
        f"{key.partition('_')[0]} {rate:,.4g} updates/s" for key, rate in figures.items() if key.endswith("_per_s")
    ]
    ratios = [
        f"{key.partition('_')[0]} is {value:.2f} times as fast"
        for key, value in figures.items()
        if key.endswith("_ratio")
    ]
    return f"{'learn':<26} {preset + ' ' + part:<26} " + "; ".join([*rates, *ratios])


def _learners(settings: TrainSettings, env: BatchEnv, device: str) -> Learners:
    """Builds the preset's learners; nothing of what they learn is kept."""
    placed = replace(settings, device=device)
    if settings.encoder_options.mode != "scratch":
        placed = replace(placed, encoder_options=replace(settings.encoder_options, mode="scratch", learning_rate=None))
    agent = make_agent(placed, env, None)
    stage = settings.pretrain
    if stage is None:
        return Learners(agent=agent, pretraining=None)
    config = pretrain_settings(placed, stage)
    learner = new_learner(config, observation_shapes(agent.observation_space), env.spec.action.shape[0])
    return Learners(agent=agent, pretraining=(learner, config.pretrain.batch_size))
