"""What an agent's encoder makes of what it sees in an evaluation, and what was true at that moment."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core.protocols import BatchEnv, Obs
from robossl.core.specs import image_keys
from robossl.objectives.metrics import linear_probe_r2, rankme
from robossl.training.agent import Agent
from robossl.training.evaluate import EvalResult
from robossl.training.gif import Frames, in_colour
from robossl.training.policy import AgentPolicy
from robossl.training.privileged import factor_names, factor_values
from robossl.training.rollout import Moment

_MIN_SAMPLES = 32  # of either half: a probe of fewer says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """n moments of an evaluation.

    Attributes:
        features: [n, D].
        factors: [n, F], named by `names`.
        episode, step: [n] which episode of the evaluation, and when in it.
        reward: [n] of the action that followed.
        thumbnails: [n, H, W, 3] uint8, where the robot has a camera.
    """

    features: NDArray[np.float32]
    factors: NDArray[np.float32]
    names: tuple[str, ...]
    episode: NDArray[np.int64]
    step: NDArray[np.int64]
    reward: NDArray[np.float32]
    thumbnails: Frames | None

    @property
    def no_probe(self) -> str | None:
        """Why there is too little for a probe; None where there is enough."""
        num_odd = int(np.sum(self.episode % 2))
        num_even = len(self.episode) - num_odd
        if min(num_even, num_odd) >= _MIN_SAMPLES:
            return None
        return f"{num_even} and {num_odd} moments of every other episode, at least {_MIN_SAMPLES} are needed of either"

    def scores(self) -> dict[str, float]:
        """Returns `rankme`, and `r2_<factor>` of a linear probe fitted on every other episode, if it can be."""
        features, factors = torch.from_numpy(self.features), torch.from_numpy(self.factors)
        values = {"rankme": rankme(features)}
        if self.names and self.no_probe is None:
            test = torch.from_numpy(self.episode % 2 == 1)
            r2 = linear_probe_r2(features[~test], factors[~test], features[test], factors[test])
            values |= {f"r2_{name}": float(value) for name, value in zip(self.names, r2, strict=True)}
        return values

    def metadata(self, result: EvalResult) -> dict[str, list[object]]:
        """Returns the projector's columns: which moment, its reward, how its episode went, and what was true in it."""
        return {
            "episode": self.episode.tolist(),
            "step": self.step.tolist(),
            "reward": self.reward.tolist(),
            "return": result.returns[self.episode].tolist(),
            **({"success": result.success[self.episode].astype(int).tolist()} if result.has_success else {}),
            **{name: self.factors[:, column].tolist() for column, name in enumerate(self.names)},
        }


class LatentSampler:
    """Watches an evaluation and asks the agent for features, ever more rarely, so that moments spread over all of it.

    Args:
        agent: whose `features`.
        policy: through which the agent sees.
        env: whose truth.
        max_samples: about how many are kept.
    """

    def __init__(self, agent: Agent, policy: AgentPolicy, env: BatchEnv, *, max_samples: int) -> None:
        self._agent, self._policy, self._spec, self._max_samples = agent, policy, env.spec, max_samples
        self._camera = next(iter(image_keys(env.spec.observation)), None)
        self._every_steps, self._step = 1, 0
        self._num_worlds, self._first_episode = env.num_worlds, -env.num_worlds
        self._samples: list[dict[str, NDArray[Any]]] = []

    def begin(self, obs: Obs) -> None:
        """See `Observer.begin`."""
        self._step = 0
        self._first_episode += self._num_worlds

    def observe(self, moment: Moment, counted: NDArray[np.bool_]) -> None:
        """See `Observer.observe`."""
        if self._step % self._every_steps == 0:
            self._samples.append(self._sample(moment, np.flatnonzero(counted)))
            self._thin_out()
        self._step += 1

    def _sample(self, moment: Moment, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        sample: dict[str, NDArray[Any]] = {
            "features": self._agent.features({key: value[rows] for key, value in self._policy.seen.items()}),
            "episode": self._first_episode + rows,
            "step": np.full(len(rows), self._step),
            "reward": np.asarray(moment.batch.reward, np.float32)[rows],
        }
        if factor_names(self._spec.privileged):
            sample["factors"] = factor_values(moment.privileged, self._spec.privileged)[rows]
        if self._camera is not None:
            sample["thumbnails"] = in_colour(np.asarray(moment.obs[self._camera])[rows])
        return sample

    def _thin_out(self) -> None:
        while (
            sum(len(sample["step"]) for sample in self._samples) > self._max_samples
            and self._every_steps < self._spec.max_episode_steps
        ):
            self._every_steps *= 2
            self._samples = [sample for sample in self._samples if sample["step"][0] % self._every_steps == 0]

    def latents(self) -> Latents:
        """Returns what was sampled."""
        joined = {name: np.concatenate([sample[name] for sample in self._samples]) for name in self._samples[0]}
        return Latents(
            features=joined["features"].astype(np.float32),
            factors=joined.get("factors", np.zeros((len(joined["step"]), 0))).astype(np.float32),
            names=factor_names(self._spec.privileged),
            episode=joined["episode"].astype(np.int64),
            step=joined["step"].astype(np.int64),
            reward=joined["reward"].astype(np.float32),
            thumbnails=joined["thumbnails"].astype(np.uint8) if "thumbnails" in joined else None,
        )
