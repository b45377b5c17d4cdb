"""Observations that are not finite are told where they leave for a learner."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robossl.core import ArraySpec, CameraSpec, EnvSpec, RenderSpec, UserError
from robossl.core.finite import checked_keys, require_finite
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.gym_env import GymEnv
from robossl.envs.gym_vector_env import GymVectorEnv
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.training.rollout import Rollout

ENV = "robossl/ArmReach-v0"


SPEC = EnvSpec(
    id="test/Numbers-v0",
    control_hz=10.0,
    max_episode_steps=5,
    observation={
        "rgb_front": ArraySpec(shape=(4, 4, 3), dtype="uint8"),
        "depth_front": ArraySpec(shape=(4, 4, 1)),
        "proprio": ArraySpec(shape=(2,)),
        "series": ArraySpec(shape=(5, 2)),
        "grid": ArraySpec(shape=(4, 4, 1)),
        "id": ArraySpec(shape=(), dtype="int64"),
    },
    action=ArraySpec(shape=(1,)),
    render=RenderSpec(renderer="raycast", version=1, cameras=(CameraSpec(name="front", width=4, height=4),)),
)


def test_all_fractions_are_looked_at_but_those_of_pictures() -> None:
    assert checked_keys(SPEC) == ("proprio", "series", "grid")
    assert checked_keys(replace(SPEC, render=None)) == ("depth_front", "proprio", "series", "grid")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", checked_keys(SPEC))
def test_the_first_key_and_world_are_named(key: str, value: float) -> None:
    obs = {name: np.zeros((3, *part.shape), part.dtype) for name, part in SPEC.observation.items()}
    require_finite(obs, checked_keys(SPEC))
    obs[key].reshape(3, -1)[1, -1] = value
    with pytest.raises(UserError, match=f"observation '{key}' is not finite in world 1"):
        require_finite(obs, checked_keys(SPEC))
    with pytest.raises(UserError, match=f"observation '{key}' is not finite in world 7"):
        require_finite(obs, checked_keys(SPEC), np.array([4, 7, 9]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_are_finite(dtype: str) -> None:
    with np.errstate(over="raise"):
        require_finite({"far": np.full((2, 3), 3e38, dtype), "none": np.zeros((0, 3), dtype)}, ("far", "none"))


def _broken(env: Any) -> None:
    observe = env.task.observe

    def never_finite(*arguments: Any) -> Any:
        seen = observe(*arguments)
        return {**seen, "proprio": seen["proprio"] * np.float32(np.nan)}

    env.task.observe = never_finite


@pytest.mark.parametrize("kind", ["gym", "vector", "sb3", "rollout"])
def test_whoever_learns_is_told(kind: str) -> None:
    action = np.zeros((2, 3), np.float32)
    if kind == "rollout":
        env = make_env(EnvConfig(id=ENV, num_worlds=2, num_threads=1), WorldSeed())
        rollout = Rollout(env, env.expert())
        _broken(env)
        step: Any = rollout.step
    elif kind == "sb3":
        env = make_env(EnvConfig(id=ENV, num_worlds=2, num_threads=1), WorldSeed())
        vec_env = SB3VecEnv(env)
        vec_env.reset()
        _broken(env)
        step = lambda: vec_env.step(action)  # noqa: E731
    elif kind == "gym":
        single = GymEnv(ENV)
        single.reset(seed=0)
        _broken(single.batch_env)
        step = lambda: single.step(action[0])  # noqa: E731
    else:
        many = GymVectorEnv(ENV, num_envs=2)
        many.reset(seed=0)
        _broken(many.batch_env)
        step = lambda: many.step(action)  # noqa: E731
    with pytest.raises(UserError, match="observation 'proprio' is not finite in world 0"):
        step()


@pytest.mark.parametrize("kind", ["gym", "vector", "sb3", "rollout"])
def test_whoever_begins_is_told(kind: str) -> None:
    env: Any
    if kind == "rollout":
        env = batch = make_env(EnvConfig(id=ENV, num_worlds=2, num_threads=1), WorldSeed())
        begin: Any = lambda: Rollout(env, env.expert())  # noqa: E731
    elif kind == "sb3":
        batch = make_env(EnvConfig(id=ENV, num_worlds=2, num_threads=1), WorldSeed())
        begin = SB3VecEnv(batch).reset
    else:
        env = GymEnv(ENV) if kind == "gym" else GymVectorEnv(ENV, num_envs=2)
        batch, begin = env.batch_env, env.reset
    _broken(batch)
    with pytest.raises(UserError, match="observation 'proprio' is not finite in world 0"):
        begin()
