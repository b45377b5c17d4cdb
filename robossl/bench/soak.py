"""Endurance: a task under random actions with all that can be random, watched for leaks and for worlds that go astray.

Every divergence must be one that the environment has counted: a number that is not finite, or a speed beyond reason, in
a world that was not reported is a failure. So is memory that grows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, StepBatch, Stream, UserError
from robossl.core.memory import resident_bytes
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.config import Difficulty, EngineName
from robossl.envs.engine import MAX_SPEED
from robossl.envs.host import on_host
from robossl.envs.make import make_task
from robossl.envs.task_env import TaskEnv

MAX_GROWTH = 0.02
_NUM_SAMPLES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakConfig:
    """Says what is endured.

    Attributes:
        env: a robossl id.
        difficulty: its level; what the task is by itself where None.
        engine: of the physics.
        steps: of all worlds together.
        num_worlds: stepped together.
        num_threads: all cores where None.
        seed: of worlds and actions.
    """

    env: str = "robossl/RingCorridor-v0"
    difficulty: Difficulty | None = None
    engine: EngineName = "mujoco"
    steps: int = 1_000_000
    num_worlds: int = 64
    num_threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.num_worlds < 1:
            raise UserError(f"num_worlds must be at least 1, got {self.num_worlds}")
        if self.steps < self.num_worlds:
            raise UserError(f"steps must be at least one for each world, got {self.steps} for {self.num_worlds}")


def soak(config: SoakConfig, env: TaskEnv, progress: Callable[[int, dict[str, float]], bool]) -> dict[str, Any]:
    """Steps `env` to the end, or until `progress`, told of new steps and figures, says that it is enough.

    Returns:
        steps, episodes, seconds, steps_per_s; diverged: divergences that were counted; uncounted: those that were not;
        fastest: the greatest joint speed; memory_mib at begin and end (medians of the second and of the last tenth of
        all samples) and its growth.
    """
    rng = np.random.default_rng(config.seed)
    watch = _Watch(env)
    memory: list[float] = []
    done, episodes, began_s = 0, 0, time.monotonic()
    env.reset()
    while done < config.steps:
        batch = env.step(rng.uniform(-1, 1, (env.num_worlds, *env.spec.action.shape)).astype(np.float32))
        watch.look(batch)
        done += env.num_worlds
        episodes += len(batch.final_ids)
        if done * _NUM_SAMPLES >= config.steps * (len(memory) + 1):
            memory.append(_resident_mib())
        if progress(env.num_worlds, {"diverged": watch.diverged, "MiB": memory[-1] if memory else _resident_mib()}):
            break
    seconds = time.monotonic() - began_s
    return {
        "steps": done,
        "episodes": episodes,
        "seconds": seconds,
        "steps_per_s": done / seconds,
        "diverged": watch.diverged,
        "uncounted": watch.uncounted,
        "fastest": watch.fastest,
        **_memory(memory or [_resident_mib()]),
    }


def failures(figures: dict[str, Any]) -> list[str]:
    """Says what the figures of `soak` do not pass."""
    found = []
    if figures["uncounted"]:
        found.append(f"{figures['uncounted']} divergences were not counted")
    if figures["memory_growth"] > MAX_GROWTH:
        found.append(f"memory grew by {figures['memory_growth']:.1%}, more than {MAX_GROWTH:.0%}")
    return found


def make(config: SoakConfig) -> TaskEnv:
    """Builds the environment with all its sensors, its default cameras, and all randomisations."""
    task = make_task(config.env, config.difficulty)
    spec = task.spec
    keys = (*spec.default_observation, *spec.vectors, *spec.sensors)
    env_config = EnvConfig(
        id=config.env,
        num_worlds=config.num_worlds,
        observations=tuple(dict.fromkeys(keys)),
        engine=config.engine,
        num_threads=config.num_threads,
        randomise={"all": 1.0},
    )
    return TaskEnv(task, env_config, WorldSeed(seed=config.seed, stream=Stream.TRAIN))


class _Watch:
    """Looks for worlds that went astray.

    Attributes:
        diverged, uncounted, fastest: see `soak`.
    """

    def __init__(self, env: TaskEnv) -> None:
        self._env = env
        self._speed = np.zeros(env.num_worlds)  # of worlds that ended in this step, as they did
        env.before_reset = self._note
        self.diverged = self.uncounted = 0
        self.fastest = 0.0

    def look(self, batch: StepBatch) -> None:
        """Looks at what a step led to."""
        is_counted = np.asarray(batch.info["diverged"], bool)
        self.diverged += int(is_counted.sum())
        speed = np.maximum(self._fastest_joint(None), self._speed)
        self._speed[:] = 0
        bad = ~np.isfinite(batch.reward) | ~(speed < MAX_SPEED)
        for values in batch.obs.values():
            bad |= ~_finite(values)
        ended = np.zeros_like(bad)
        for values in batch.final_obs.values():
            ended[batch.final_ids] |= ~_finite(values)
        self.uncounted += int((bad | ended).sum())  # whatever was counted shows what was before it
        self.fastest = max(self.fastest, float(np.nan_to_num(speed).max()))

    def _note(self, ids: NDArray[np.int64]) -> None:
        self._speed[ids] = self._fastest_joint(ids)

    def _fastest_joint(self, ids: NDArray[np.int64] | None) -> Array:
        return np.abs(on_host(self._env.engine.read("qvel", ids))).max(axis=1)


def _finite(values: Any) -> Any:
    """Tells [N] where all numbers of [N, ...] are finite."""
    array = np.asarray(values)
    if array.dtype.kind != "f":
        return np.ones(len(array), bool)
    return np.isfinite(array).all(axis=tuple(range(1, array.ndim)))


def _memory(samples: list[float]) -> dict[str, float]:
    tenth = max(1, len(samples) // 10)
    begin = float(np.median(samples[min(tenth, len(samples) - 1) : 2 * tenth] or samples[-1:]))
    end = float(np.median(samples[-tenth:]))
    return {"memory_begin_mib": begin, "memory_end_mib": end, "memory_growth": end / begin - 1}


def _resident_mib() -> float:
    """Returns the memory that the process holds.

    Raises:
        UserError: on a system that does not tell.
    """
    held = resident_bytes()
    if held is None:
        raise UserError("this system does not tell how much memory a process holds")
    return held / 2**20
