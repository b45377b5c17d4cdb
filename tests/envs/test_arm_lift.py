"""What lifting means: a grasp that holds, what counts. See test_conformance for the rest."""

import numpy as np
import pytest

from robossl.core import Stream, UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.arm_lift import ArmLift, ArmLiftConfig

ID = "robossl/ArmLift-v0"
OPEN, CLOSE = [0, 0, 0, 1], [0, 0, 0, -1]


def make(num_worlds: int, level: str = "medium", stream: Stream = Stream.TRAIN) -> TaskEnv:
    config = EnvConfig(id=ID, num_worlds=num_worlds, num_threads=1)
    env = TaskEnv(ArmLift(ArmLift.levels[level]), config, WorldSeed(seed=1, stream=stream))
    env.reset()
    return env


def lift(env: TaskEnv, num_steps: int) -> dict[str, np.ndarray]:
    expert = env.expert()
    assert expert is not None
    for _ in range(num_steps):
        batch = env.step(expert.act({}, env.privileged()))
        assert not batch.terminated.any()
    return batch.info


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_expert_succeeds_in_every_world_of_every_level(level: str) -> None:
    info = lift(make(64, level, Stream.EVAL), 60)
    assert info["success"].mean() >= 0.95
    for name in ("reach", "grip", "lift", "lifted"):
        assert np.median(info[f"reward/{name}"]) > 0.9, name


@pytest.mark.parametrize("level", ["medium", "hard"])
def test_a_block_that_is_held_stays_where_it_is(level: str) -> None:
    env = make(16, level)
    lift(env, 52)
    before = env.privileged()
    for _ in range(24):
        env.step(np.tile(CLOSE, (16, 1)))
    after = env.privileged()
    slip = [state["block_position"] - state["tool_position"] for state in (before, after)]
    np.testing.assert_allclose(slip[1], slip[0], atol=1.5e-3)
    np.testing.assert_allclose(np.linalg.norm(after["block_velocity"], axis=1), 0, atol=2e-3)


def test_opening_the_fingers_drops_the_block() -> None:
    env = make(4)
    assert lift(env, 52)["reward/lifted"].all()
    for _ in range(24):
        info = env.step(np.tile(OPEN, (4, 1))).info
    assert (info["reward/lift"] < 0.01).all()
    assert not info["reward/lifted"].any()
    assert info["success"].all()


def test_fingers_go_where_they_are_told_and_no_faster_than_the_real_ones() -> None:
    env = make(4)
    commands = np.array([-1.0, -0.5, 0.0, 1.0])
    for _ in range(40):
        env.step(np.stack([0 * commands, 0 * commands, 0 * commands, commands], axis=1))
        assert (np.abs(env.engine.read("qvel")[:, 7:9]) <= 0.2).all()
    np.testing.assert_allclose(env.privileged()["finger_opening"][:, 0], 0.04 * (1 + commands), atol=2e-3)


def test_nothing_is_rewarded_for_closing_on_air_or_standing_still() -> None:
    env = make(8)
    for action in (OPEN, CLOSE):
        for _ in range(30):
            info = env.step(np.tile(action, (8, 1))).info
            assert (info["reward/grip"] == 0).all()
            assert (info["reward/lift"] < 1e-3).all()
    assert not info["success"].any()
    np.testing.assert_allclose(info["metric/distance"], 0.15, atol=1e-3)


def test_blocks_start_on_the_table_as_the_level_says() -> None:
    env = make(256, "hard")
    state, values = env.privileged(), env.model_values()
    block = state["block_position"]
    np.testing.assert_allclose(block[:, 2], 0.035)
    np.testing.assert_allclose(block[:, :2].min(axis=0), [0.44, -0.14], atol=0.01)
    np.testing.assert_allclose(block[:, :2].max(axis=0), [0.60, 0.14], atol=0.01)
    assert (np.abs(np.arctan2(*state["block_heading"].T)) <= 0.05 + 1e-6).all()
    mass = values["body_mass"][:, env.engine.model.body("block").id]
    assert 0.1 <= mass.min() < 0.12
    assert 0.38 < mass.max() <= 0.4
    np.testing.assert_array_equal(env.engine.model.geom("block_box").size, [0.035] * 3)
    above = state["goal_position"][:, 2] - 0.035
    assert (above > 0.15).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lift_m": 0.0}, "lift_m must be positive"),
        ({"lift_m": 0.5}, "lift_m must be at most"),
        ({"yaw_rad": 1.0}, "yaw_rad must be in"),
        ({"block_half_m": 0.035}, "does not fit between the fingers"),
    ],
)
def test_impossible_configurations_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ArmLiftConfig(**options)
