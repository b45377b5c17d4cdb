"""Observations that are not finite are told where they leave for a learner."""

from typing import Any

import numpy as np
import pytest

from robossl.core import UserError
from robossl.core.finite import require_finite
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.gym_env import GymEnv, GymVectorEnv
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.training.rollout import Rollout

ENV = "robossl/ArmReach-v0"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_key_and_world_are_named(value: float) -> None:
    obs = {"rgb_front": np.zeros((3, 4, 4, 3), np.uint8), "proprio": np.zeros((3, 2), np.float32), "id": np.arange(3)}
    require_finite(obs)
    obs["proprio"][1, 1] = value
    with pytest.raises(UserError, match="observation 'proprio' is not finite in world 1"):
        require_finite(obs)
    with pytest.raises(UserError, match="observation 'proprio' is not finite in world 7"):
        require_finite(obs, np.array([4, 7, 9]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_are_finite(dtype: str) -> None:
    with np.errstate(over="raise"):
        require_finite({"far": np.full((2, 3), 3e38, dtype), "none": np.zeros((0, 3), dtype)})


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
