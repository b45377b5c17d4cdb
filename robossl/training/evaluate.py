"""Evaluation: one episode in each of many unseen worlds, with intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core.protocols import BatchEnv, Obs, Policy
from robossl.core.specs import EnvSpec
from robossl.training.intervals import bootstrap_interval, rate_difference_interval, rate_interval
from robossl.training.rollout import Moment, Rollout, ended

_RATES = ("success_rate", "collision_rate", "collision_mean")
"""Figures whose values are 0 or 1 in every episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """What E episodes came to; entry i is world first_world + i.

    Attributes:
        returns: [E] float64, undiscounted.
        lengths: [E] int64, in control steps.
        success: [E] bool.
        metrics: {name: [E]} float64, the task's own.
        has_success: whether the environment told of success at all; nobody has any where it did not.
        diverged: [E] bool: whose physics went astray, which ends an episode without success and without metrics.
    """

    env: str
    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    success: NDArray[np.bool_]
    metrics: dict[str, NDArray[np.float64]]
    diverged: NDArray[np.bool_]
    has_success: bool

    def against(self, reference: "EvalResult") -> dict[str, Any]:
        """Returns JSON values: how much more this came to than `reference` did in the same worlds.

        `success_rate_difference` and `return_mean_difference`, and `<name>_ci`, 95 % intervals over worlds.
        """
        success, returns = self.success.astype(float) - reference.success, self.returns - reference.returns
        return {
            "success_rate_difference": float(np.mean(success)),
            "return_mean_difference": float(np.mean(returns)),
            "success_rate_difference_ci": list(rate_difference_interval(self.success, reference.success)),
            "return_mean_difference_ci": list(bootstrap_interval(returns)),
        }

    def summary(self) -> dict[str, Any]:
        """Returns JSON values: means, and `<name>_ci`, their 95 % intervals (`intervals`).

        Every metric gives `<metric>_mean`; collisions, which are 0 or 1, are called `collision_rate` as well. Where
        physics went astray `num_diverged` tells how often, and metrics are those of the other episodes, if there are.
        """
        judged = ~self.diverged if not self.diverged.all() else slice(None)
        metrics = {f"{name}_mean": values[judged] for name, values in self.metrics.items()}
        if "collision" in self.metrics:
            metrics["collision_rate"] = metrics["collision_mean"]
        rates = {"success_rate": self.success} if self.has_success else {}
        columns: dict[str, NDArray[Any]] = {**rates, "return_mean": self.returns, "length_mean": self.lengths}
        columns |= metrics
        values = {name: float(np.mean(column)) for name, column in columns.items()}
        intervals = {
            name: rate_interval(column) if name in _RATES else bootstrap_interval(column)
            for name, column in columns.items()
        }
        spread = {"return_std": float(np.std(self.returns))}
        lost = {"num_diverged": int(self.diverged.sum())} if self.diverged.any() else {}
        told = {f"{name}_ci": list(interval) for name, interval in intervals.items()}
        return {"env": self.env, "episodes": len(self.returns), **lost, **values, **spread, **told}


def summary_names(spec: EnvSpec) -> tuple[str, ...]:
    """Returns the figures of `EvalResult.summary` that an environment's evaluations have, without their intervals."""
    means = ("return_mean", "length_mean", *(f"{name}_mean" for name in spec.metrics))
    return ("success_rate", *means, *(("collision_rate",) if "collision" in spec.metrics else ()))


class Observer(Protocol):
    """Watches an evaluation as it runs: records a video or features."""

    def begin(self, obs: Obs) -> None:
        """Sees the first observations {key: [N, ...]} of a chunk of worlds."""

    def observe(self, moment: Moment, counted: NDArray[np.bool_]) -> None:
        """Sees a step; `counted` [N] are the worlds whose first episode it belongs to."""


def evaluate(
    env: BatchEnv,
    policy: Policy,
    episodes: int,
    *,
    first_world: int = 0,
    observers: Sequence[Observer] = (),
    progress: Callable[[int], None] | None = None,
) -> EvalResult:
    """Runs the first episode of each of `episodes` worlds.

    Worlds are taken in chunks of `env.num_worlds`; every world counts once, however short its episode, so that the
    result depends neither on the number of worlds nor on which episodes happen to end first, unless the policy does: an
    agent whose actions are drawn has one generator for all worlds.

    Args:
        env: in a stream of its own.
        policy: e.g. `AgentPolicy`.
        episodes: E.
        first_world: the number of the first one.
        observers: are shown every step.
        progress: is called with the number of episodes that just ended.
    """
    chunks = []
    for start in range(0, episodes, env.num_worlds):
        chunk = _Chunk(env, min(env.num_worlds, episodes - start))
        rollout = Rollout(env, policy, first_world=first_world + start)
        for observer in observers:
            observer.begin(rollout.obs)
        while chunk.running.any():
            moment = rollout.step()
            counted = chunk.running.copy()
            num_ended = chunk.add(moment)
            for observer in observers:
                observer.observe(moment, counted)
            if progress is not None and num_ended:
                progress(num_ended)
        chunks.append(chunk)
    return _joined(env, chunks)


class _Chunk:
    """Sums up the first episodes of the first n of N worlds."""

    def __init__(self, env: BatchEnv, num_counted: int) -> None:
        self.running = np.arange(env.num_worlds) < num_counted
        self.num_counted = num_counted
        self.returns = np.zeros(env.num_worlds)
        self.lengths = np.zeros(env.num_worlds, np.int64)
        self.success, self.diverged = np.zeros((2, env.num_worlds), bool)
        self.has_success = False
        self.metrics = {name: np.zeros(env.num_worlds) for name in env.spec.metrics}

    def add(self, moment: Moment) -> int:
        batch = moment.batch
        self.returns[self.running] += np.asarray(batch.reward, np.float64)[self.running]
        self.lengths[self.running] += 1
        over = self.running & ended(batch)
        if "success" in batch.info:
            self.has_success = True
            self.success[over] = np.asarray(batch.info["success"], bool)[over]
        if "diverged" in batch.info:
            self.diverged[over] = np.asarray(batch.info["diverged"], bool)[over]
        for name, values in self.metrics.items():
            values[over] = np.asarray(batch.info[f"metric/{name}"], np.float64)[over]
        self.running &= ~over
        return int(over.sum())


def _joined(env: BatchEnv, chunks: list[_Chunk]) -> EvalResult:
    def join(columns: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([column[: chunk.num_counted] for chunk, column in zip(chunks, columns, strict=True)])

    return EvalResult(
        env=env.spec.id,
        returns=join(chunk.returns for chunk in chunks),
        lengths=join(chunk.lengths for chunk in chunks),
        success=join(chunk.success for chunk in chunks),
        metrics={name: join(chunk.metrics[name] for chunk in chunks) for name in env.spec.metrics},
        diverged=join(chunk.diverged for chunk in chunks),
        has_success=any(chunk.has_success for chunk in chunks),
    )
