"""What the scripted experts reach in Bullet and in MuJoCo, in the same worlds."""

import numpy as np
import pytest

from robossl.core import Stream, UserError
from robossl.core.registry import TASKS
from robossl.envs import EnvConfig, WorldSeed, make_env

pytest.importorskip("pybullet")

DISTANCE = 0.15  # of the rates of success, that 64 worlds leave room for


def success(env_id, engine, num_worlds):
    """Returns [num_worlds] whether the expert's first episode in each world was a success."""
    vectors = make_env(EnvConfig(id=env_id, num_worlds=1), WorldSeed()).task.spec.vectors
    config = EnvConfig(id=env_id, num_worlds=num_worlds, engine=engine, observations=tuple(vectors), num_threads=1)
    env = make_env(config, WorldSeed(stream=Stream.EVAL))
    expert, obs = env.expert(), env.reset()
    expert.reset(np.arange(num_worlds))
    first = {}
    for _ in range(env.spec.max_episode_steps):
        batch = env.step(expert.act(obs, env.privileged()))
        for world in batch.final_ids:
            first.setdefault(int(world), bool(batch.info["is_success"][world]))
        expert.reset(batch.final_ids)
        obs = batch.obs
    env.close()
    return np.array([first[world] for world in range(num_worlds)])


def test_the_pusher_succeeds_in_both():
    rates = [success("robossl/ArmPush-v0", engine, 6).mean() for engine in ("mujoco", "bullet")]
    assert min(rates) >= 5 / 6


@pytest.mark.slow
@pytest.mark.parametrize("env_id", TASKS)
def test_every_expert_succeeds_nearly_as_often(env_id):
    rates = [success(env_id, engine, 64).mean() for engine in ("mujoco", "bullet")]
    assert abs(rates[0] - rates[1]) <= DISTANCE


def test_an_environment_with_its_own_physics_is_refused():
    with pytest.raises(UserError, match="CartPole-v1 brings its own physics"):
        make_env(EnvConfig(id="CartPole-v1", engine="bullet"), WorldSeed())
