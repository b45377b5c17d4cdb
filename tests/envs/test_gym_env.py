"""Gymnasium's single and vector environments over a batch of counters."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeAwareObservation

import robossl.envs.gym_env
import robossl.envs.gym_vector_env
from robossl.core import UserError
from robossl.core.registry import TASKS
from robossl.envs import EnvConfig
from robossl.envs.gym_env import GymEnv
from robossl.envs.gym_vector_env import GymVectorEnv

ACTION = np.zeros(2, np.float32)


@pytest.fixture(autouse=True)
def counters(monkeypatch: pytest.MonkeyPatch, counter_env: Any) -> None:
    for module in (robossl.envs.gym_env, robossl.envs.gym_vector_env):
        monkeypatch.setattr(module, "make_env", lambda config, worlds: counter_env(config.num_worlds))


def test_a_seed_begins_its_episodes_and_later_resets_go_on_with_them() -> None:
    env = GymEnv("test/Counter-v0")
    obs, info = env.reset(seed=5)
    assert (obs["proprio"].tolist(), info, env.batch_env.seed) == ([0, 0, 0], {}, 5)
    env.step(ACTION)
    assert env.reset()[0]["proprio"].tolist() == [0, 1, 0]
    for step in range(1, 5):
        obs, reward, terminated, truncated, info = env.step(ACTION)
        assert (obs["proprio"].tolist(), reward) == ([0, 1, step], step)
    assert (terminated, truncated, info["is_success"], info["metric/steps"]) == (False, True, False, 4.0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(ACTION)
    assert env.reset()[0]["proprio"].tolist() == [0, 2, 0]
    assert env.reset(seed=5)[0]["proprio"].tolist() == [0, 0, 0]


def test_without_a_seed_two_environments_differ() -> None:
    env, other = GymEnv("test/Counter-v0"), GymEnv("test/Counter-v0")
    env.reset()
    other.reset()
    assert env.batch_env.seed != other.batch_env.seed


def test_a_vector_of_one_equals_gymnasiums_own() -> None:
    """Except that Gymnasium's repeats the reset's info, which is empty, for worlds that ended."""
    ours = GymVectorEnv("test/Counter-v0", num_envs=1)
    theirs = SyncVectorEnv([lambda: GymEnv("test/Counter-v0")], autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    np.testing.assert_equal(ours.reset(seed=3)[0], dict(theirs.reset(seed=3)[0]))
    for _ in range(12):
        obs, *numbers, info = ours.step(ACTION[None])
        obs_2, *numbers_2, info_2 = theirs.step(ACTION[None])
        np.testing.assert_equal(obs, dict(obs_2))
        np.testing.assert_equal(numbers, numbers_2)
        for key in info_2:
            plain = list if key == "final_obs" else np.asarray
            np.testing.assert_equal(plain(info[key]), plain(info_2[key]), err_msg=key)
        assert ("final_obs" in info) == ("final_obs" in info_2)


def test_vector_infos_separate_running_and_ended_episodes() -> None:
    env = GymVectorEnv("test/Counter-v0", num_envs=2)
    env.reset(seed=0)
    for _ in range(3):
        obs, reward, terminated, truncated, info = env.step(np.zeros((2, 2)))
    assert (terminated.tolist(), truncated.tolist(), reward.tolist()) == ([True, False], [False, False], [3, 3])
    assert obs["proprio"].tolist() == [[0, 1, 0], [1, 0, 3]]
    assert info["final_obs"][0]["proprio"].tolist() == [0, 0, 3]
    assert info["final_obs"][1] is None
    assert (info["_final_obs"].tolist(), info["_final_info"].tolist()) == ([True, False], [True, False])
    assert info["final_info"]["metric/steps"].tolist() == [3, 0]
    assert info["final_info"]["_metric/steps"].tolist() == [True, False]
    assert (info["metric/steps"].tolist(), info["_metric/steps"].tolist()) == ([0, 3], [False, True])
    assert env.reset()[0]["proprio"].tolist() == [[0, 2, 0], [1, 2, 0]]


def test_vector_frames_are_one_per_world() -> None:
    env = GymVectorEnv(EnvConfig(id="test/Counter-v0"), num_envs=3, render_mode="rgb_array")
    env.reset(seed=0)
    frames = env.render()
    assert frames is not None
    assert [frame[0, 0].tolist() for frame in frames] == [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    assert GymVectorEnv("test/Counter-v0").render() is None
    with pytest.raises(ValueError, match="render_mode is 'human'"):
        GymEnv("test/Counter-v0", render_mode="human")


def test_the_frame_after_the_last_step_shows_how_the_episode_ended_until_the_next_reset() -> None:
    env = GymEnv("test/Counter-v0", render_mode="rgb_array")
    assert env.reset(seed=0)[0]["proprio"].tolist() == [0, 0, 0]
    shown = [_shown(env)]
    while len(shown) < 4:
        *_, terminated, truncated, _ = env.step(ACTION)
        shown.append(_shown(env))
    assert terminated or truncated
    assert shown == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3]]
    env.render()[...] = 9  # a wrapper may draw into what it was given
    assert _shown(env) == [0, 0, 3]
    assert env.reset()[0]["proprio"].tolist() == _shown(env) == [0, 1, 0]


def _shown(env: GymEnv) -> list[int]:
    frame = env.render()
    assert frame is not None
    return frame[0, 0].tolist()


def test_nothing_is_drawn_at_an_episodes_end_unless_it_is_to_be_rendered() -> None:
    assert GymEnv("test/Counter-v0").batch_env.before_reset is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GymEnv("test/Counter-v0", num_worlds=4), r"made by gymnasium\.make_vec\(\.\.\., num_envs=\.\.\.\)"),
        (lambda: GymVectorEnv("test/Counter-v0", num_envs=2, num_worlds=4), "as num_envs, not as num_worlds"),
    ],
)
def test_the_number_of_worlds_is_gymnasiums_to_tell(make: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("num_steps", [1, 3])
def test_a_closed_environment_says_so_also_where_the_last_episode_has_ended(num_steps: int) -> None:
    env = GymEnv("test/Counter-v0")
    env.reset(seed=0)
    for _ in range(num_steps):
        *_, terminated, _, _ = env.step(ACTION)
    assert terminated == (num_steps == 3)
    env.close()
    for call in (env.reset, lambda: env.step(ACTION)):
        with pytest.raises(RuntimeError, match="the environment is closed"):
            call()


def test_vector_closes_once_and_wrappers_of_gymnasium_fit(counter_env: Any) -> None:
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(GymVectorEnv("test/Counter-v0", num_envs=2))
    env.reset(seed=0)
    for _ in range(3):
        *_, info = env.step(np.zeros((2, 2)))
    assert info["episode"]["r"].tolist() == [6.0, 0.0]
    env.close()
    assert env.unwrapped.batch_env.closed


@pytest.mark.parametrize("env_id", TASKS)
def test_registered_ids_make_both(env_id: str) -> None:
    assert isinstance(gymnasium.make(env_id, render_mode="rgb_array").unwrapped, GymEnv)
    env = gymnasium.make_vec(env_id, num_envs=3)
    assert isinstance(env, GymVectorEnv)
    assert env.num_envs == 3
    assert gymnasium.make(f"robossl.envs:{env_id}").spec.id == env_id


def test_before_the_first_reset_both_ask_for_it() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        GymEnv("test/Counter-v0").step(ACTION)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        GymVectorEnv("test/Counter-v0", num_envs=2).step(np.zeros((2, 2)))


def test_a_spec_tells_the_tasks_own_limit_and_nothing_else_truncates() -> None:
    env, envs = gymnasium.make("robossl/ArmReach-v0"), gymnasium.make_vec("robossl/ArmReach-v0", num_envs=2)
    for made in (env, envs):
        assert made.spec.max_episode_steps == made.unwrapped.batch_env.spec.max_episode_steps
    assert gymnasium.spec("robossl/ArmReach-v0").max_episode_steps is None
    assert "TimeLimit" not in str(env)
    TimeAwareObservation(env)
    assert gymnasium.make("robossl/ArmReach-v0", max_episode_steps=2).spec.max_episode_steps == 2
    assert GymEnv("test/Counter-v0").spec is None


def test_a_vector_refuses_another_limit_than_the_tasks() -> None:
    own = GymVectorEnv("test/Counter-v0").batch_env.spec.max_episode_steps
    assert gymnasium.make_vec("robossl/ArmReach-v0", max_episode_steps=own).num_envs == 1
    with pytest.raises(UserError, match=f"max_episode_steps=2: episodes of .* have {own} steps at most"):
        gymnasium.make_vec("robossl/ArmReach-v0", max_episode_steps=2)


def test_what_is_made_again_from_a_spec_can_be_left_to_the_task() -> None:
    env = gymnasium.make("robossl/ArmReach-v0")
    for spec in (env.spec, env.unwrapped.spec):
        same = gymnasium.make(spec, max_episode_steps=-1)  # else Gymnasium truncates, too
        assert "TimeLimit" not in str(same)
        assert same.spec.max_episode_steps == env.spec.max_episode_steps
