"""Puts pretraining together: from a dataset and settings to a learner, and to its figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robossl.cli.settings import PretrainSettings
from robossl.data import EpisodeStore, Replay
from robossl.nets import MultimodalEncoder, seeded_init
from robossl.nets.multimodal import ObservationShapes
from robossl.objectives import RepresentationLearner
from robossl.training.pretrain import PretrainResult, pretrain
from robossl.training.privileged import policy_observation
from robossl.training.probe import Probe, split_episodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """All that pretraining needs, built and checked, before a folder is made for it."""

    learner: RepresentationLearner
    replay: Replay
    probe: Probe | None
    config: PretrainSettings

    @classmethod
    def prepare(cls, data: Path, config: PretrainSettings) -> "Pretraining":
        """Reads the episodes in `data`, and builds encoder and objectives."""
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
        learner = new_learner(config, replay.stacked_observation, store.spec.action.shape[0])
        learner.require_windows(config.pretrain.batch_size, replay.longest_episode)
        return cls(learner=learner, replay=replay, probe=probe, config=config)

    def run(self, folder: Path, *, resume: bool) -> PretrainResult:
        """Pretrains; all output goes to `folder`."""
        generator = torch.Generator(self.config.device).manual_seed(self.config.seed)
        config, probe = self.config.pretrain, self.probe
        return pretrain(self.learner, self.replay, folder, config, generator=generator, probe=probe, resume=resume)


def new_learner(config: PretrainSettings, observation: ObservationShapes, action_dim: int) -> RepresentationLearner:
    """Builds a new encoder and the objectives that it will learn from."""
    with seeded_init(config.seed):
        encoder = MultimodalEncoder(observation, config.encoder)
    return RepresentationLearner(
        encoder,
        config.objectives,
        action_dim,
        seed=config.seed,
        device=config.device,
        learning_rate=config.pretrain.learning_rate,
    )


def pretrain_summary(result: PretrainResult) -> dict[str, Any]:
    """Returns a pretraining's figures as JSON values."""
    report = result.report.scalars() if result.report is not None else {}
    return {**result.metrics, **report, "seconds": result.seconds, "encoder": str(result.encoder)}
