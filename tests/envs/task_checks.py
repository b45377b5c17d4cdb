"""What the suites that every task goes through share."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from robossl.core import Stream
from robossl.core.registry import TASKS, load
from robossl.core.specs import MODALITIES
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.task_env import TaskEnv

GPU = pytest.param("warp-gpu", marks=pytest.mark.gpu)
ENGINES = ("mujoco", "bullet", "warp", GPU)
"""Of the fixture `engine`, which gives `warp` for both of its devices."""
DEFAULTS: dict[str, Any] = {"num_threads": 1}


def has_goals(env_id: object) -> bool:
    """Tells whether an id is the goal-conditioned variant of another."""
    return env_id in TASKS and hasattr(load(TASKS, str(env_id), what="environment"), "compute_reward")


OWN_TASKS = [name for name in TASKS if not has_goals(name)]
"""Variants share physics, sensors and ranges with these."""

long_in_bullet = pytest.mark.parametrize(
    "engine", ["mujoco", pytest.param("bullet", marks=pytest.mark.slow), "warp", GPU], indirect=True
)
bit_for_bit = pytest.mark.bit_for_bit
"""Marks what compares the last bits of two runs: on a GPU it is not asked of the arm."""


def make(env_id: str, num_worlds: int = 4, *, seed: int = 3, stream: Stream = Stream.TRAIN, **options: Any) -> TaskEnv:
    config = EnvConfig(id=env_id, num_worlds=num_worlds, **{**DEFAULTS, **options})
    env = make_env(config, WorldSeed(seed=seed, stream=stream))
    assert isinstance(env, TaskEnv)
    return env


def with_pictures(env_id: str, num_worlds: int = 4, **options: Any) -> TaskEnv:
    """Makes the environment with all that it can observe, from one small camera where it has any."""
    probe = make(env_id, 1)
    spec, cameras = probe.task.spec, probe.spec.camera_names[:1]
    probe.close()
    vectors = (*spec.vectors, *spec.sensors)
    pictures = tuple(f"{modality}_{camera}" for camera in cameras for modality in MODALITIES)
    return make(env_id, num_worlds, observations=(*vectors, *pictures), image_size=(16, 12), **options)


def random_actions(env: TaskEnv, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.uniform(-1, 1, (64, *env.spec.action.shape)).astype(np.float32)[: env.num_worlds]


def everything(env: TaskEnv) -> dict[str, np.ndarray]:
    """Returns all that can be asked of the running episodes."""
    return {**env.privileged(), **env.model_values(), "state": env.world_state()}


def assert_same(first: dict[str, Any], second: dict[str, Any], rows: Any = slice(None)) -> None:
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(np.asarray(value)[rows], second[key], err_msg=key)


def success(env_id: str, engine: str, num_worlds: int, seed: int = 0) -> np.ndarray:
    """Returns [num_worlds] whether the expert's first episode in each world was a success."""
    vectors = tuple(load(TASKS, env_id, what="environment")().spec.vectors)
    env = make(env_id, num_worlds, engine=engine, observations=vectors, seed=seed, stream=Stream.EVAL)
    expert, obs = env.expert(), env.reset()
    expert.reset(np.arange(num_worlds))
    first: dict[int, bool] = {}
    for _ in range(env.spec.max_episode_steps):
        batch = env.step(expert.act(obs, env.privileged()))
        for world in batch.final_ids:
            first.setdefault(int(world), bool(batch.info["is_success"][world]))
        expert.reset(batch.final_ids)
        obs = batch.obs
    env.close()
    return np.array([first[world] for world in range(num_worlds)])
