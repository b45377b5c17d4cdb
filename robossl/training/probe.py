"""Probes: what a linear map can read off an encoder's features about the simulator's truth.

Fitted on frames of some episodes and tested on frames of others: neighbouring frames are so alike that a split by
frame would measure memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robossl.core.errors import UserError
from robossl.core.frames import channels_first
from robossl.core.protocols import Array
from robossl.core.specs import TRUTH_PREFIX, EnvSpec, image_keys
from robossl.data.episode import Episode, Episodes
from robossl.nets import MultimodalEncoder
from robossl.objectives.metrics import feature_std, linear_probe_r2, mean_pairwise_cosine, rankme
from robossl.objectives.objective import encode
from robossl.training.privileged import factor_names, factor_values

_ENCODE_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    """What a probe looks at.

    Attributes:
        held_out: share of the episodes that pretraining never sees and the probe is tested on.
        max_frames: of either half.
    """

    held_out: float = 0.1
    max_frames: int = 4_000

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not 0 < self.held_out < 1:
            raise UserError(f"probe.held-out must be between 0 and 1, got {self.held_out}")
        if self.max_frames < 2:
            raise UserError(f"probe.max-frames must be at least 2, got {self.max_frames}")


@dataclass(frozen=True, slots=True)
class ProbeSamples:
    """n frames as an encoder takes them, and what was true.

    Attributes:
        obs: {key: [n, ...]}, pictures stacked and channels-first.
        factors: [n, F].
    """

    obs: dict[str, Tensor]
    factors: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What features tell, and whether they collapsed.

    Attributes:
        r2: {factor: R^2 on held-out episodes}.
        rankme, std, cosine: of the held-out features: effective rank, mean spread, mean similarity of two frames.
        num_frames: held out.
    """

    r2: dict[str, float]
    rankme: float
    std: float
    cosine: float
    num_frames: int

    def scalars(self) -> dict[str, float]:
        """Returns {TensorBoard tag: value}."""
        ranks = {"ssl/rankme": self.rankme, "ssl/std": self.std, "ssl/cosine": self.cosine}
        return {**ranks, **{f"probe/r2_{name}": value for name, value in self.r2.items()}}


class Probe:
    """Frames and truth, read once; probes encoders as often as wanted.

    Args:
        episodes: an `EpisodeStore` or a list.
        spec: of the dataset.
        keys: observations that the encoder sees.
        split: numbers of the episodes to fit on and of those to test on.
        frame_stack: as the encoder takes them.
        config: how many frames.
        generator: of which frames.

    Raises:
        UserError: if the dataset holds no truth.
    """

    def __init__(
        self,
        episodes: Episodes,
        spec: EnvSpec,
        keys: Sequence[str],
        split: tuple[Sequence[int], Sequence[int]],
        *,
        frame_stack: int,
        config: ProbeConfig,
        generator: np.random.Generator,
    ) -> None:
        self.names = factor_names(spec.privileged)
        if not self.names or not all(f"{TRUTH_PREFIX}{key}" in spec.observation for key in spec.privileged):
            raise UserError("the dataset holds no truth to probe for: collect it with privileged values")
        self._fit, self._test = (
            _samples(episodes, numbers, spec, keys, frame_stack, config.max_frames, generator) for numbers in split
        )

    def __call__(self, encoder: MultimodalEncoder) -> ProbeReport:
        """Probes what objectives train: the features of the pictures, or all where there are none.

        Raises:
            UserError: if features are no longer numbers.
        """
        was_training = encoder.training
        encoder.eval()
        fit, test = (_encoded(lambda obs: encode(encoder, obs), samples, _device(encoder)) for samples in self._halves)
        encoder.train(was_training)
        if not (fit.isfinite().all() and test.isfinite().all()):
            raise UserError("the encoder's features are not finite: pretraining diverged; try a lower learning rate")
        r2 = linear_probe_r2(fit, self._fit.factors, test, self._test.factors)
        return ProbeReport(
            r2=dict(zip(self.names, r2.tolist(), strict=True)),
            rankme=rankme(test),
            std=feature_std(test),
            cosine=mean_pairwise_cosine(test),
            num_frames=len(test),
        )

    @property
    def _halves(self) -> tuple[ProbeSamples, ProbeSamples]:
        return self._fit, self._test


def split_episodes(count: int, held_out: float, generator: np.random.Generator) -> tuple[list[int], list[int]]:
    """Returns the numbers of the episodes to learn from, and of those held out; at least one of each.

    Raises:
        UserError: if there are fewer than two.
    """
    if count < 2:
        raise UserError(f"at least two episodes are needed to hold some out, got {count}")
    order = generator.permutation(count)
    num_held_out = min(max(1, round(held_out * count)), count - 1)
    return sorted(order[num_held_out:].tolist()), sorted(order[:num_held_out].tolist())


def stacked_frames(frames: Array, steps: NDArray[np.int64], num_frames: int) -> Array:
    """Returns the stacks that end at `steps` [n] of an episode's pictures [T + 1, H, W, C]: [n, H, W, k * C].

    As `FrameStack` makes them: oldest first, padded with the episode's first.
    """
    wanted = np.maximum(steps[:, None] - np.arange(num_frames - 1, -1, -1), 0)
    stacks = np.moveaxis(frames[wanted], 1, -2)  # [n, H, W, k, C]
    return stacks.reshape(*stacks.shape[:3], -1)


def _samples(
    episodes: Episodes,
    numbers: Sequence[int],
    spec: EnvSpec,
    keys: Sequence[str],
    frame_stack: int,
    max_frames: int,
    generator: np.random.Generator,
) -> ProbeSamples:
    chosen = [episodes[number] for number in numbers]
    counts = [episode.length + 1 for episode in chosen]
    picked = generator.permutation(sum(counts))[:max_frames]
    owner = np.repeat(np.arange(len(chosen)), counts)[picked]
    step = picked - np.concatenate([[0], np.cumsum(counts)])[owner]
    parts = [_frames_of(chosen[i], np.sort(step[owner == i]), spec, keys, frame_stack) for i in np.unique(owner)]
    obs = {key: torch.from_numpy(np.concatenate([part[0][key] for part in parts])) for key in keys}
    return ProbeSamples(obs, torch.from_numpy(np.concatenate([part[1] for part in parts])))


def _frames_of(
    episode: Episode, steps: NDArray[np.int64], spec: EnvSpec, keys: Sequence[str], frame_stack: int
) -> tuple[dict[str, Array], NDArray[np.float32]]:
    coloured = image_keys(spec.observation)
    obs = {
        key: stacked_frames(episode.obs[key], steps, frame_stack) if key in coloured else episode.obs[key][steps]
        for key in keys
    }
    truth = {name: value[steps] for name, value in episode.obs.items() if name.startswith(TRUTH_PREFIX)}
    return channels_first(obs, spec.observation), factor_values(truth, spec.privileged, prefix=TRUTH_PREFIX)


@torch.no_grad()
def _encoded(encoder: Callable[[dict[str, Tensor]], Tensor], samples: ProbeSamples, device: torch.device) -> Tensor:
    count = len(samples.factors)
    batches = [
        encoder({key: value[i : i + _ENCODE_BATCH].to(device) for key, value in samples.obs.items()}).cpu()
        for i in range(0, count, _ENCODE_BATCH)
    ]
    return torch.cat(batches)


def _device(module: Any) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
