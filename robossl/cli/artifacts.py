"""What `train` makes first, and finds again: a dataset and a pretrained encoder, named by a hash of their settings."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robossl.cli.compose import make_policy, opened_env
from robossl.cli.settings import PretrainSettings, PretrainStage, TrainSettings
from robossl.core import Stream
from robossl.core.files import write_json
from robossl.data import EpisodeStore, Replay
from robossl.envs import EnvConfig
from robossl.nets import MultimodalEncoder, seeded_init
from robossl.objectives import RepresentationLearner
from robossl.training.collect import CollectConfig, Collected, collect, open_writer
from robossl.training.pretrain import ENCODER_FOLDER, PretrainResult, pretrain
from robossl.training.privileged import policy_observation
from robossl.training.probe import Probe, split_episodes


def pretrained_encoder(settings: TrainSettings, stage: PretrainStage) -> Path:
    """Collects and pretrains, or reuses what the same settings have made before; returns the encoder's folder."""
    artifacts = settings.log_folder / "artifacts"
    data_key = {"env": _without_threads(settings.env), "collect": asdict(stage.collect), "seed": settings.seed}
    data = artifacts / f"data-{_digest(data_key)}"
    collect_into(data, settings.env, stage.collect, settings.seed)
    config = PretrainSettings(
        encoder=settings.encoder,
        frame_stack=settings.frame_stack,
        objectives=stage.objectives,
        pretrain=stage.pretrain,
        probe=stage.probe,
        seed=settings.seed,
        device=settings.device,
        num_threads=settings.num_threads,
        log_folder=settings.log_folder,
    )
    key = {**data_key, **asdict(config), "log_folder": None}
    folder = artifacts / f"encoder-{_digest(key)}"
    if not (folder / "result.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        result = pretrain_on(data, folder, config, resume=True)
        write_json(folder / "result.json", pretrain_summary(result))
    return folder / ENCODER_FOLDER


def collect_into(folder: Path, env_config: EnvConfig, config: CollectConfig, seed: int) -> Collected:
    """Fills the dataset in `folder` up to what `config` asks for; one that is full is left as it is."""
    with (
        opened_env(env_config, seed, Stream.COLLECT) as env,
        open_writer(folder, env, config, seed=seed) as writer,
    ):
        policy = make_policy(config.policy, env, seed=seed, hold_steps=config.hold_steps)
        return collect(env, policy, writer, config, seed=seed)


def pretrain_on(data: Path, folder: Path, config: PretrainSettings, *, resume: bool) -> PretrainResult:
    """Pretrains an encoder on the episodes in `data`; all output goes to `folder`."""
    store = EpisodeStore(data)
    rng = np.random.default_rng([config.seed, 2])
    split = split_episodes(len(store), config.probe.held_out, rng)
    keys = tuple(policy_observation(store.spec))
    replay = Replay.from_episodes(
        store, frame_stack=config.frame_stack, device=config.device, keys=keys, split=split[0]
    )
    probe = None
    if set(keys) != set(store.spec.observation):
        probe = Probe(
            store, store.spec, keys, split, frame_stack=config.frame_stack, config=config.probe, generator=rng
        )
    with seeded_init(config.seed):
        encoder = MultimodalEncoder(replay.stacked_observation, config.encoder)
    learner = RepresentationLearner(
        encoder,
        config.objectives,
        store.spec.action.shape[0],
        seed=config.seed,
        device=config.device,
        learning_rate=config.pretrain.learning_rate,
    )
    generator = torch.Generator(config.device).manual_seed(config.seed)
    return pretrain(learner, replay, folder, config.pretrain, generator=generator, probe=probe, resume=resume)


def pretrain_summary(result: PretrainResult) -> dict[str, Any]:
    """Returns a pretraining's figures as JSON values."""
    report = result.report.scalars() if result.report is not None else {}
    return {**result.metrics, **report, "seconds": result.seconds, "encoder": str(result.encoder)}


def _without_threads(env: EnvConfig) -> dict[str, Any]:
    return {key: value for key, value in asdict(env).items() if key != "num_threads"}


def _digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
