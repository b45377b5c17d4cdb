"""Goal-conditioned tasks: rewards told again for other goals, and hindsight learning with stock SB3."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from robossl.core import Stream
from robossl.core.registry import TASKS, load
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.config import EngineName
from robossl.envs.mujoco_fields import columns_of
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.envs.task_env import TaskEnv

IDS = [env_id for env_id in TASKS if hasattr(load(TASKS, env_id, what="environment"), "compute_reward")]


def make(env_id: str, num_worlds: int, stream: Stream = Stream.TRAIN) -> TaskEnv:
    env = make_env(EnvConfig(id=env_id, num_worlds=num_worlds, num_threads=1), WorldSeed(seed=2, stream=stream))
    assert isinstance(env, TaskEnv)
    return env


@pytest.mark.parametrize("env_id", IDS)
def test_the_reward_is_what_compute_reward_says(env_id: str) -> None:
    env = make(env_id, 16)
    expert, obs = env.expert(), env.reset()
    assert expert is not None
    assert {"proprio", "achieved_goal", "desired_goal"} <= set(obs)
    expert.reset(np.arange(16))
    rewards = []
    for _ in range(45):
        batch = env.step(expert.act(obs, env.privileged()))
        obs = batch.obs
        again = env.compute_reward(obs["achieved_goal"], obs["desired_goal"], {})
        np.testing.assert_array_equal(batch.reward, again)
        rewards.append(batch.reward)
    assert set(np.unique(rewards)) == {-1.0, 0.0}


@pytest.mark.parametrize("env_id", IDS)
def test_success_needs_the_desired_goal_once(env_id: str) -> None:
    env = make(env_id, 16)
    expert, obs = env.expert(), env.reset()
    assert expert is not None
    expert.reset(np.arange(16))
    was_there = np.zeros(16, bool)
    for _ in range(45):
        batch = env.step(expert.act(obs, env.privileged()))
        obs = batch.obs
        was_there |= batch.reward == 0
        np.testing.assert_array_equal(batch.info["success"], was_there)
    assert was_there.any()


@pytest.mark.parametrize("env_id", IDS)
def test_the_distances_are_those_between_the_goals(env_id: str) -> None:
    env = make(env_id, 8)
    generator, expert, obs = np.random.default_rng(0), env.expert(), env.reset()
    assert expert is not None
    expert.reset(np.arange(8))
    nearest = np.linalg.norm(obs["achieved_goal"] - obs["desired_goal"], axis=1)
    for _ in range(45):
        action = np.asarray(expert.act(obs, env.privileged()), np.float32)
        action[:, :2] += generator.normal(0, 0.5, (8, 2))
        batch = env.step(action.clip(-1, 1))
        obs = batch.obs
        distance = np.linalg.norm(obs["achieved_goal"] - obs["desired_goal"], axis=1)
        nearest = np.minimum(nearest, distance)
        np.testing.assert_allclose(batch.info["metric/distance"], distance, atol=1e-6)
        np.testing.assert_allclose(batch.info["metric/min_distance"], nearest, atol=1e-6)


def test_rewards_of_other_goals_follow_the_distance() -> None:
    env = make("robossl/ArmReachGoal-v0", 1)
    achieved = np.zeros((2, 3, 3), np.float32)
    desired = np.zeros((2, 3, 3), np.float32)
    desired[0, :, 1] = [0.0, 0.049, 0.051]
    desired[1, :, 2] = [1.0, 0.01, 0.06]
    rewards = env.compute_reward(achieved, desired, [{}] * 2)
    np.testing.assert_array_equal(rewards, [[0, 0, -1], [-1, 0, -1]])
    assert env.compute_reward(achieved[0, 0], desired[0, 2], {}) == -1


def test_goals_that_are_no_numbers_are_worth_none() -> None:
    env = make("robossl/ArmReachGoal-v0", 1)
    goals = np.zeros((3, 3), np.float32)
    goals[1, 2] = np.nan
    for achieved, desired in ((goals, np.zeros(3)), (np.zeros((3, 3)), goals)):
        np.testing.assert_array_equal(env.compute_reward(achieved, desired, {}), np.float32([0, np.nan, 0]))
    assert np.isnan(env.compute_reward(goals[1], goals[0], {}))


@pytest.mark.parametrize(("achieved", "desired"), [((4, 2), (4, 2)), ((4, 3), (4, 2)), ((4, 1), (4, 3)), ((), (3,))])
def test_goals_of_another_length_are_refused(achieved: tuple[int, ...], desired: tuple[int, ...]) -> None:
    env = make("robossl/ArmReachGoal-v0", 1)
    with pytest.raises(ValueError, match=r"goals are arrays \[\.\.\., 3\] of"):
        env.compute_reward(np.zeros(achieved), np.zeros(desired), {})


def test_only_goal_tasks_tell_rewards_of_other_goals() -> None:
    assert not hasattr(make("robossl/ArmReach-v0", 1), "compute_reward")
    assert not hasattr(gymnasium.make("robossl/ArmReach-v0").unwrapped, "compute_reward")
    assert hasattr(gymnasium.make("robossl/ArmReachGoal-v0").unwrapped, "compute_reward")


@pytest.mark.parametrize("own", [True, False])
def test_hindsight_relabels_our_transitions(own: bool) -> None:
    env_id = "robossl/ArmReachGoal-v0"
    env: VecEnv = SB3VecEnv(make(env_id, 2)) if own else DummyVecEnv([lambda: gymnasium.make(env_id)] * 2)
    agent = _learner(env, learning_starts=10**6)
    agent.learn(120)
    replay = agent.replay_buffer
    assert isinstance(replay, HerReplayBuffer)
    batch = replay.sample(512)
    achieved = batch.next_observations["achieved_goal"]
    distance = (achieved - batch.observations["desired_goal"]).norm(dim=1)
    torch.testing.assert_close(batch.rewards[:, 0], -(distance >= 0.05).float())
    torch.testing.assert_close(batch.observations["desired_goal"], batch.next_observations["desired_goal"])
    relabelled = (batch.rewards == 0).float().mean()
    assert relabelled > 0.2  # hardly any of the first random episodes reaches its own goal


@pytest.mark.slow
def test_stock_sac_learns_to_reach_with_hindsight() -> None:
    torch.set_num_threads(1)
    agent = _learner(SB3VecEnv(make("robossl/ArmReachGoal-v0", 8)), learning_starts=800)
    before = _success(agent)
    agent.learn(9000)
    assert _success(agent) > before + 0.6


def _learner(env: VecEnv, learning_starts: int) -> SAC:
    return SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        buffer_size=10_000,
        learning_starts=learning_starts,
        learning_rate=1e-3,
        gamma=0.95,
        ent_coef="auto_0.05",
        gradient_steps=8,
        policy_kwargs={"net_arch": [64, 64]},
        seed=0,
    )


def _success(agent: SAC) -> float:
    env = make("robossl/ArmReachGoal-v0", 64, Stream.EVAL)
    obs = env.reset()
    for _ in range(env.spec.max_episode_steps):
        batch = env.step(agent.predict(obs, deterministic=True)[0])
        obs = batch.obs
    return float(batch.info["success"].mean())


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
@pytest.mark.parametrize("env_id", IDS)
def test_a_world_that_was_written_not_to_be_finite_is_no_way_to_a_goal(env_id: str, engine: EngineName) -> None:
    env = make_env(EnvConfig(id=env_id, num_worlds=2, num_threads=1, engine=engine), WorldSeed(seed=1))
    begun = env.reset()
    state = env.get_state()
    state["physics"][1, columns_of(env.engine.model, ("qvel",))[0]] = np.nan
    env.set_state(state)
    batch = env.step(np.zeros((2, *env.spec.action.shape), np.float32))
    assert batch.info["diverged"].tolist() == [False, True]
    assert batch.reward.tolist() == [-1, -1]
    for key in ("achieved_goal", "desired_goal"):
        np.testing.assert_allclose(batch.final_obs[key][0], begun[key][1], atol=1e-6)


def test_to_break_the_physics_is_no_way_to_a_goal() -> None:
    env = make("robossl/ArmReachGoal-v0", 2)
    env.reset()
    env.engine.write("qvel", np.full((1, env.engine.model.nv), 1e6), np.array([1]))
    batch = env.step(np.zeros((2, 3)))
    assert batch.info["diverged"].tolist() == [False, True]
    assert batch.reward.tolist() == [-1, -1]
    assert env.compute_reward(batch.final_obs["achieved_goal"], batch.final_obs["desired_goal"], None).tolist() == [-1]
