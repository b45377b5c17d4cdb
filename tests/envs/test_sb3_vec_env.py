"""The border to stable-baselines3: frame stacks, episode ends, and what its algorithms make of them."""

from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.logger import Logger

from robossl.core import UserError
from robossl.envs.sb3_vec_env import SB3VecEnv


def actions(count: int) -> np.ndarray:
    return np.zeros((count, 2), np.float32)


def counted(values: Any) -> list[list[int]]:
    return np.asarray(values).astype(int).tolist()


def test_stacks_are_channels_first_oldest_first_and_restart_with_the_episode(counter_env: Any) -> None:
    env = SB3VecEnv(counter_env(2), frame_stack=2)
    assert env.observation_space["rgb_front"].shape == (6, 6, 8)
    picture = env.reset()["rgb_front"][:, :, 0, 0]
    assert counted(picture) == [[0, 0, 0] * 2, [1, 0, 0] * 2]
    picture = env.step(actions(2))[0]["rgb_front"][:, :, 0, 0]
    assert counted(picture) == [[0, 0, 0, 0, 0, 1], [1, 0, 0, 1, 0, 1]]
    env.step(actions(2))
    obs, reward, done, infos = env.step(actions(2))  # world 0 ends after three steps
    assert done.tolist() == [True, False]
    assert reward.tolist() == [3.0, 3.0]
    assert counted(obs["rgb_front"][:, :, 5, 7]) == [[0, 1, 0] * 2, [1, 0, 2, 1, 0, 3]]
    assert counted(infos[0]["terminal_observation"]["rgb_front"][:, 0, 0]) == [0, 0, 2, 0, 0, 3]
    assert counted(infos[0]["terminal_observation"]["proprio"]) == [0, 0, 3]
    assert env.observation_space.contains({key: value[0] for key, value in obs.items()})
    assert obs["rgb_front"].flags["C_CONTIGUOUS"]


def test_infos_tell_of_ended_episodes_only(counter_env: Any) -> None:
    env = SB3VecEnv(counter_env(2))
    env.reset()
    for _ in range(3):
        *_, infos = env.step(actions(2))
    assert infos[1] == {}
    assert infos[0]["episode"]["r"] == 6.0
    assert infos[0]["episode"]["l"] == 3
    assert (infos[0]["TimeLimit.truncated"], infos[0]["is_success"], infos[0]["metric/steps"]) == (False, True, 3.0)
    *_, infos = env.step(actions(2))  # world 1 lasts four steps and is truncated
    assert infos[0] == {}
    assert (infos[1]["TimeLimit.truncated"], infos[1]["is_success"], infos[1]["episode"]["r"]) == (True, False, 10.0)
    assert env.last_step.final_ids.tolist() == [1]
    for _ in range(3):
        *_, infos = env.step(actions(2))
    assert (infos[0]["episode"]["r"], infos[0]["episode"]["l"]) == (10.0, 4)  # episode 1 of world 0 counts anew


def test_later_resets_begin_episodes_not_seen_before(counter_env: Any) -> None:
    env = SB3VecEnv(counter_env(2))
    assert counted(env.reset()["proprio"]) == [[0, 0, 0], [1, 0, 0]]
    for _ in range(3):
        env.step(actions(2))
    assert counted(env.reset()["proprio"]) == [[0, 2, 0], [1, 2, 0]]
    env.seed(5)
    assert counted(env.reset()["proprio"]) == [[0, 0, 0], [1, 0, 0]]
    assert env.env.seed == 5


def test_restored_state_continues_alike(counter_env: Any) -> None:
    env, other = (SB3VecEnv(counter_env(3), frame_stack=2) for _ in range(2))
    env.reset()
    for _ in range(2):
        env.step(actions(3))
    other.set_state(env.get_state())
    for _ in range(6):
        obs, reward, done, infos = env.step(actions(3))
        obs_2, reward_2, done_2, infos_2 = other.step(actions(3))
        for key in obs:
            np.testing.assert_array_equal(obs[key], obs_2[key])
        assert (reward.tolist(), done.tolist()) == (reward_2.tolist(), done_2.tolist())
        for info, info_2 in zip(infos, infos_2, strict=True):
            assert info.get("episode", {}).get("r") == info_2.get("episode", {}).get("r")


def test_shared_attributes_and_methods(counter_env: Any) -> None:
    env = SB3VecEnv(counter_env(3))
    assert env.get_attr("num_worlds", indices=[0, 1]) == [3, 3]
    assert env.env_method("expert", indices=0)[0] is not None
    env.set_attr("seed", 7)
    assert env.env.seed == 7
    with pytest.raises(ValueError, match="share one environment"):
        env.set_attr("seed", 8, indices=[0])
    assert env.render().shape == (720, 960, 3)
    with pytest.raises(AttributeError):
        env.get_attr("absent")


@pytest.mark.parametrize("world", [3, 17, -4])
def test_a_world_that_does_not_exist_is_refused(counter_env: Any, world: int) -> None:
    env = SB3VecEnv(counter_env(3))
    for call in (
        lambda: env.get_attr("num_worlds", [world]),
        lambda: env.set_attr("seed", 3, [0, 1, world]),
        lambda: env.env_method("close", indices=world),
        lambda: env.env_is_wrapped(Any, [world]),
    ):
        with pytest.raises(IndexError, match=f"there is no world {world}: the worlds are 0 to 2"):
            call()
    assert not env.env.closed
    assert env.get_attr("num_worlds", -1) == [3]


def test_videos_run_at_the_rate_of_decisions(counter_env: Any) -> None:
    assert SB3VecEnv(counter_env(1)).metadata["render_fps"] == 10.0


def test_too_deep_a_stack_is_refused(counter_env: Any) -> None:
    with pytest.raises(UserError, match="9 channels"):
        SB3VecEnv(counter_env(1), frame_stack=3)


def test_ppo_bootstraps_truncated_episodes_from_their_last_observation(counter_env: Any) -> None:
    env = SB3VecEnv(counter_env(2, pictures=False))
    agent = PPO("MultiInputPolicy", env, n_steps=8, batch_size=16, gamma=0.5, seed=0, device="cpu")
    agent.policy.predict_values = lambda obs: 100.0 * obs["proprio"][:, 2:3]  # V(s) = 100 * step
    agent.set_logger(Logger(None, []))  # else SB3 leaves a folder behind
    agent._setup_learn(16, None)
    callback = agent._init_callback(None)
    agent.collect_rollouts(env, callback, agent.rollout_buffer, n_rollout_steps=8)
    reward = agent.rollout_buffer.rewards
    assert reward[:3, 0].tolist() == [1.0, 2.0, 3.0]  # world 0 terminates after 3 steps
    assert reward[:4, 1].tolist() == [1.0, 2.0, 3.0, 4.0 + 0.5 * 400.0]  # world 1 is truncated after 4
    assert reward[3:7, 0].tolist() == [1.0, 2.0, 3.0, 4.0 + 0.5 * 400.0]


def test_sac_stores_last_observations_and_bootstraps_only_truncated_episodes(counter_env: Any) -> None:
    env = SB3VecEnv(counter_env(2, pictures=False))
    agent = SAC("MultiInputPolicy", env, learning_starts=100, buffer_size=64, seed=0, device="cpu")
    agent.set_logger(Logger(None, []))
    agent.learn(16)
    buffer = agent.replay_buffer
    assert isinstance(buffer, DictReplayBuffer)
    following = buffer.next_observations["proprio"][:8]
    assert counted(following[2, 0]) == [0, 0, 3]
    assert counted(following[3, 1]) == [1, 0, 4]
    assert counted(buffer.observations["proprio"][3, 0]) == [0, 1, 0]
    final = buffer.dones * (1 - buffer.timeouts)  # what the targets are masked with
    assert (final[2, 0], final[3, 1], final[1, 0]) == (1, 0, 0)
    assert (buffer.dones[2, 0], buffer.dones[3, 1], buffer.dones[1, 0]) == (1, 1, 0)
