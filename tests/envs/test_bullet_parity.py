"""What the scripted experts reach in Bullet and in MuJoCo, in the same worlds."""

import numpy as np
import pytest
from task_checks import success

from robossl.core import UserError
from robossl.core.registry import TASKS
from robossl.envs import EnvConfig, WorldSeed, make_env

pytest.importorskip("pybullet")

SEEDS = (0, 1, 2)
DISTANCE = 0.05  # of the rates of success, in the same worlds of all seeds


def rate(env_id, engine, num_worlds):
    """Returns the rate of success over `num_worlds` worlds of every seed."""
    return np.mean([success(env_id, engine, num_worlds, seed) for seed in SEEDS])


@pytest.mark.parametrize("env_id", ["robossl/ArmPush-v0", "robossl/ArmLift-v0"])
def test_where_contact_decides_experts_succeed_in_both(env_id):
    assert min(rate(env_id, engine, 8) for engine in ("mujoco", "bullet")) >= 23 / 24


@pytest.mark.slow
@pytest.mark.parametrize("env_id", TASKS)
def test_every_expert_succeeds_nearly_as_often(env_id):
    assert abs(rate(env_id, "mujoco", 24) - rate(env_id, "bullet", 24)) <= DISTANCE


def test_an_environment_with_its_own_physics_is_refused():
    with pytest.raises(UserError, match="CartPole-v1 brings its own physics"):
        make_env(EnvConfig(id="CartPole-v1", engine="bullet"), WorldSeed())
