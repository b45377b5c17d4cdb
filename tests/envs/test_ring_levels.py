import numpy as np
import pytest

from robossl.core import Stream, UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.ring_clutter import NUM_CLUTTER
from robossl.envs.tasks.ring_corridor import RingCorridor, RingCorridorConfig
from robossl.envs.tasks.ring_geometry import CAR_RADIUS_M, obstacle_distance, wall_distance
from robossl.envs.tasks.ring_scene import NUM_OBSTACLES


def make_env(level, num_worlds=128):
    config = EnvConfig(num_worlds=num_worlds, observations=("proprio",), num_threads=1)
    return TaskEnv(RingCorridor(RingCorridor.levels[level]), config, WorldSeed(seed=4, stream=Stream.EVAL))


def test_medium_is_the_task_as_it_is_by_itself():
    assert RingCorridor.levels["medium"] == RingCorridorConfig() == RingCorridor().config


@pytest.mark.parametrize(("level", "counts"), [("easy", {3, 4, 5, 6}), ("medium", {8, 9, 10, 11, 12}), ("hard", {12})])
def test_levels_differ_in_obstacles(level, counts):
    env = make_env(level)
    env.reset()
    placed = np.abs(env.privileged()["obstacles"][:, :NUM_OBSTACLES, 0]) < 9
    assert set(placed.sum(axis=1).tolist()) == counts
    assert env.privileged()["obstacles"].shape[1] == NUM_OBSTACLES + (NUM_CLUTTER if level == "hard" else 0)


def test_the_obstacles_of_the_hard_level_stand_where_they_would_without_clutter():
    hard, plain = (
        make_env("hard", 8),
        TaskEnv(
            RingCorridor(RingCorridorConfig(min_obstacles=NUM_OBSTACLES)),
            EnvConfig(num_worlds=8, observations=("proprio",), num_threads=1),
            WorldSeed(seed=4, stream=Stream.EVAL),
        ),
    )
    hard.reset()
    plain.reset()
    first, second = hard.privileged(), plain.privileged()
    np.testing.assert_array_equal(first["pose"], second["pose"])
    np.testing.assert_array_equal(first["obstacles"][:, :NUM_OBSTACLES], second["obstacles"])


def test_clutter_narrows_the_lane_but_not_where_episodes_start():
    env = make_env("hard")
    env.reset()
    truth = env.privileged()
    clutter = truth["obstacles"][:, NUM_OBSTACLES:]
    assert clutter.shape == (128, NUM_CLUTTER, 7)
    x, y = clutter[..., 0], clutter[..., 1]
    reach = np.hypot(clutter[..., 4], clutter[..., 5]) + clutter[..., 6]
    assert (wall_distance(np, x, y) - reach).min() > 0.1
    gap = obstacle_distance(np, x[:, :, None], y[:, :, None], truth["obstacles"][:, None, :NUM_OBSTACLES])
    assert (gap.min(axis=2) - reach).min() > 0.1
    pose = truth["pose"]
    assert obstacle_distance(np, pose[:, :1], pose[:, 1:2], truth["obstacles"]).min() > CAR_RADIUS_M + 0.4
    assert len(np.unique(clutter[:, 0, :2], axis=0)) == 128


def test_the_planner_gets_past_the_clutter():
    env = make_env("hard", 8)
    expert, obs, arrived = env.expert(), env.reset(), np.ones(8, bool)
    for _ in range(150):
        batch = env.step(expert.act(obs, env.privileged()))
        arrived &= ~batch.terminated
        obs = batch.obs
    assert arrived.sum() >= 7


def test_bounds_that_contradict_each_other_are_refused():
    with pytest.raises(UserError, match=r"max_obstacles must be in 0\.\.12, got 13"):
        RingCorridorConfig(max_obstacles=13)
    with pytest.raises(UserError, match="min_obstacles must be at most max_obstacles, 5; got 8"):
        RingCorridorConfig(max_obstacles=5)
