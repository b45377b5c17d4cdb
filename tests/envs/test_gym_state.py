"""States of Gymnasium's environments: what is put back goes on, whatever the environment did before."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import robossl.envs  # noqa: F401 (registers)
from robossl.core import UserError


def make_reach(**options: Any) -> Any:
    return gymnasium.make("robossl/ArmReach-v0", image_size=(8, 8), **options)


def ended_reach(**options: Any) -> tuple[Any, Any]:
    """Returns an environment whose episode has ended, and the state that it began with."""
    env = make_reach(**options)
    env.reset(seed=0)
    begun = env.unwrapped.batch_env.get_state()
    while not any(env.step(np.ones(3, np.float32))[2:4]):
        pass
    return env, begun


def test_a_new_environment_goes_on_from_a_state_as_whoever_copies_one_is_told() -> None:
    env, action = make_reach(), np.ones(3, np.float32)
    env.reset(seed=0)
    with pytest.raises(TypeError, match=r"make another, reset\(\) it, and give its set_state\(\) what get_state\(\)"):
        copy.copy(env.unwrapped.batch_env)
    state, other = env.unwrapped.get_state(), make_reach()
    other.reset()
    other.unwrapped.set_state(state)
    np.testing.assert_equal(other.step(action)[0], env.step(action)[0])


def test_a_new_environment_that_nothing_wraps_needs_no_reset_before_a_state() -> None:
    env, action = make_reach(), np.ones(3, np.float32)
    env.reset(seed=0)
    env.step(action)
    states = env.unwrapped.get_state(), env.unwrapped.batch_env.get_state()
    wanted = env.step(action)[0]
    for give in (lambda one: one.set_state, lambda one: one.batch_env.set_state):
        for state in states:
            other = make_reach().unwrapped
            give(other)(state)
            np.testing.assert_equal(other.step(action)[0], wanted)


def test_a_state_from_before_the_first_reset_begins_no_episode() -> None:
    never = make_reach().unwrapped.batch_env.get_state()
    alone, several = make_reach().unwrapped, gymnasium.make_vec("robossl/ArmReach-v0", num_envs=1)
    for env, action in ((alone, np.ones(3, np.float32)), (several, np.ones((1, 3), np.float32))):
        for give in (env.set_state, env.batch_env.set_state):
            give(never)
            with pytest.raises(ResetNeeded):
                env.step(action)
        env.reset()
        assert env.batch_env.episode_keys()["episode"].tolist() == [0]


def test_a_new_vector_goes_on_from_a_state_without_a_reset() -> None:
    envs, action = gymnasium.make_vec("robossl/ArmReach-v0", num_envs=2), np.ones((2, 3), np.float32)
    envs.reset(seed=0)
    state = envs.get_state()
    wanted, first = envs.step(action)[0], envs.reset()[0]
    for give in (lambda one: one.set_state, lambda one: one.batch_env.set_state):
        other = gymnasium.make_vec("robossl/ArmReach-v0", num_envs=2)
        give(other)(state)
        np.testing.assert_equal(other.step(action)[0], wanted)
        np.testing.assert_equal(other.reset()[0], first)


@pytest.mark.parametrize("whose", ["own", "batch_env's"])
def test_an_ended_environment_goes_on_from_a_state(whose: str) -> None:
    env, begun = ended_reach(render_mode="rgb_array")
    (env.unwrapped if whose == "own" else env.unwrapped.batch_env).set_state(begun)
    fresh = make_reach(render_mode="rgb_array")
    fresh.reset(seed=0)
    np.testing.assert_array_equal(env.render(), fresh.render())
    np.testing.assert_equal(env.step(np.zeros(3, np.float32)), fresh.step(np.zeros(3, np.float32)))


def test_a_reset_after_a_state_begins_the_episode_that_it_shows() -> None:
    env, begun = ended_reach()
    env.unwrapped.batch_env.set_state(begun)
    obs, _ = env.reset()
    np.testing.assert_array_equal(env.step(np.zeros(3, np.float32))[0]["goal"][:3], obs["goal"][:3])
    assert env.unwrapped.batch_env.get_state()["elapsed"] == 1


def test_no_episode_is_left_out_where_one_that_was_put_back_ends() -> None:
    env, begun = ended_reach()
    env.unwrapped.batch_env.set_state(begun)
    while not any(env.step(np.ones(3, np.float32))[2:4]):
        pass
    env.reset()
    assert env.unwrapped.batch_env.episode_keys()["episode"].tolist() == [1]


def test_the_state_of_an_ended_environment_waits_for_the_reset_as_it_did() -> None:
    env, _ = ended_reach()
    other = make_reach()
    other.reset()
    other.unwrapped.set_state(env.unwrapped.get_state())
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        other.step(np.zeros(3, np.float32))
    np.testing.assert_equal(other.reset(), env.reset())


def test_the_first_observation_in_a_state_is_what_the_environment_observes_or_refused() -> None:
    env, _ = ended_reach()
    state = env.unwrapped.get_state()
    less = make_reach(observations=("proprio",))
    less.unwrapped.set_state(state)
    obs, _ = less.unwrapped.reset()
    assert less.observation_space.contains(obs)
    obs["proprio"][:] = 0
    assert state["next_obs"]["proprio"].any()
    more = make_reach(observations=("proprio", "goal", "joint_state"))
    more.reset(seed=0)
    before = more.unwrapped.get_state()
    for wrong in (state, {**state, "next_obs": "x"}):
        with pytest.raises(UserError, match=r"first observation does not fit: .* is not in it, here"):
            more.unwrapped.set_state(wrong)
    np.testing.assert_equal(more.unwrapped.get_state(), before)


def test_a_vector_that_was_never_reset_gives_a_state_that_still_has_to_be() -> None:
    one, other = (gymnasium.make_vec("robossl/ArmReach-v0", num_envs=2) for _ in range(2))
    other.reset(seed=0)
    other.set_state(one.get_state())
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        other.step(np.ones((2, 3), np.float32))
