"""What reaching means: where goals are, what counts. See test_conformance for the rest."""

import numpy as np
import pytest

from robossl.core import Stream, UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.arm_reach import CENTRE_W_M, START_W_M, TOOL_HIGH_W_M, TOOL_LOW_W_M, ArmReach, ArmReachConfig

ID = "robossl/ArmReach-v0"


def make(num_worlds: int, config: ArmReachConfig | None = None, stream: Stream = Stream.TRAIN) -> TaskEnv:
    env = TaskEnv(
        ArmReach(config), EnvConfig(id=ID, num_worlds=num_worlds, num_threads=1), WorldSeed(seed=1, stream=stream)
    )
    env.reset()
    return env


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_expert_succeeds_in_every_world_of_every_level(level: str) -> None:
    env = make(64, ArmReach.levels[level], Stream.EVAL)
    expert = env.expert()
    assert expert is not None
    for _ in range(30):
        batch = env.step(expert.act({}, env.privileged()))
    assert batch.info["success"].all()
    assert (batch.info["metric/distance"] < 0.01).all()
    np.testing.assert_allclose(batch.info["reward/reach"], 1, atol=0.01)


def test_the_tool_starts_where_the_task_says() -> None:
    tool = make(64).privileged()["tool_position"]
    assert np.ptp(tool, axis=0).min() > 0.01
    np.testing.assert_allclose(tool.mean(axis=0), START_W_M, atol=5e-3)


def test_goals_fill_the_region_away_from_the_start() -> None:
    env = make(512)
    goal = env.privileged()["goal_position"]
    half = np.array(env.task.config.region_half_m)
    np.testing.assert_allclose(goal.min(axis=0), CENTRE_W_M - half, atol=0.02)
    np.testing.assert_allclose(goal.max(axis=0), CENTRE_W_M + half, atol=0.02)
    assert (np.linalg.norm(goal - START_W_M, axis=1) >= 0.12 - 1e-6).all()


def test_the_tool_reaches_the_corners_of_its_box_and_no_farther() -> None:
    env = make(8)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    for _ in range(40):
        env.step(corners)
    expected = np.where(corners > 0, TOOL_HIGH_W_M, TOOL_LOW_W_M)
    np.testing.assert_allclose(env.privileged()["tool_position"], expected, atol=0.01)


def test_success_is_kept_until_the_episode_ends() -> None:
    env = make(2)
    expert = env.expert()
    assert expert is not None
    for _ in range(24):
        batch = env.step(expert.act({}, env.privileged()))
    assert batch.info["success"].all()
    away = -np.sign(env.privileged()["goal_position"] - CENTRE_W_M)
    for _ in range(26):
        batch = env.step(away)
        assert batch.info["success"].all()
    assert batch.truncated.all()
    assert (batch.info["reward/at_goal"] == 0).all()
    assert (batch.info["metric/min_distance"] < 0.01).all()
    assert not env.step(np.zeros((2, 3))).info["success"].any()


def test_the_reward_falls_with_the_distance() -> None:
    env = make(4)
    first = env.step(np.zeros((4, 3))).info
    np.testing.assert_allclose(first["reward/reach"], 1 - (first["metric/distance"] - 0.01) / 0.4, atol=1e-5)
    assert (first["reward/effort"] == 0).all()
    assert (env.step(np.full((4, 3), 0.5)).info["reward/effort"] == 0.25).all()


def test_the_ball_has_the_size_that_counts() -> None:
    assert ArmReach(ArmReach.levels["hard"]).build_model().geom("goal_ball").size[0] == 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"success_radius_m": 0.0}, "success_radius_m must be positive"),
        ({"min_reach_m": 0.04}, "above success_radius_m"),
        ({"min_reach_m": 0.5}, "at most"),
        ({"region_half_m": (0.1, 0.5, 0.1)}, "cannot reach all"),
    ],
)
def test_impossible_configurations_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ArmReachConfig(**options)
