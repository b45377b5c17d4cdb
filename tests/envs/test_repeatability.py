"""What every task must repeat, and what must not touch what. One suite, each registered id through each check."""

import re

import numpy as np
import pytest
from task_checks import assert_same, bit_for_bit, everything, long_in_bullet, make, random_actions, with_pictures

from robossl.core import Stream, UserError
from robossl.core.registry import TASKS

pytestmark = [pytest.mark.parametrize("env_id", TASKS), pytest.mark.usefixtures("engine")]


@bit_for_bit
def test_episodes_repeat_and_differ_by_seed_and_stream(env_id: str) -> None:
    env, other = with_pictures(env_id), with_pictures(env_id)
    assert_same(env.reset(), other.reset())
    for action in random_actions(env, 10):
        batch, batch_2 = env.step(action), other.step(action)
        assert_same(batch.obs, batch_2.obs)
        assert_same(batch.info, batch_2.info)
        np.testing.assert_array_equal(batch.reward, batch_2.reward)
    state = env.privileged()
    for change in ({"seed": 4}, {"stream": Stream.EVAL}):
        other = make(env_id, **change)
        other.reset()
        env.reset()
        assert any((other.privileged()[key] != state[key]).any() for key in state)
    env.reset()
    state = everything(env)
    env.reset()
    assert_same(state, everything(env))


@long_in_bullet
def test_every_world_and_episode_is_another(env_id: str) -> None:
    env = make(env_id, 8)
    starts = []
    for episode in range(3):
        env.reset(first_episode=episode)
        starts += [np.concatenate([value[world].ravel() for value in env.privileged().values()]) for world in range(8)]
    assert len({start.tobytes() for start in starts}) == 24


@bit_for_bit
def test_an_episode_does_not_depend_on_what_was_before(env_id: str) -> None:
    env, fresh = with_pictures(env_id), with_pictures(env_id)
    env.reset(first_world=5, seed=9)
    for action in random_actions(env, 15):
        env.step(action)
    assert_same(env.reset(first_world=2, first_episode=1, seed=3), fresh.reset(first_world=2, first_episode=1))
    for action in random_actions(env, 5):
        assert_same(env.step(action).obs, fresh.step(action).obs)
        assert_same(everything(env), everything(fresh))


@bit_for_bit
def test_a_world_is_the_same_in_any_company(env_id: str) -> None:
    env, alone = with_pictures(env_id, 5, num_threads=2), with_pictures(env_id, 1)
    assert_same(env.reset(), alone.reset(first_world=3), rows=[3])
    for action in random_actions(env, 12):
        batch, batch_2 = env.step(action), alone.step(action[3:4])
        assert_same(batch.obs, batch_2.obs, rows=[3])
        assert_same(batch.info, batch_2.info, rows=[3])
        assert batch.reward[3] == batch_2.reward[0]
        assert_same(everything(env), everything(alone), rows=[3])


@bit_for_bit
@long_in_bullet
@pytest.mark.parametrize(("num_worlds", "num_threads"), [(1, 2), (4, 2), (7, 2), (7, 1)])
def test_steps_and_pictures_are_the_same_at_any_number_of_worlds_and_threads(
    env_id: str, num_worlds: int, num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robossl.envs.render.raycast._MIN_RAYS", 1)  # so that few small pictures are shared out
    env, other = with_pictures(env_id, num_worlds, num_threads=num_threads), with_pictures(env_id, 2)
    both = slice(0, min(num_worlds, 2))
    first, second = env.reset(), other.reset()
    for action in random_actions(env, 12):
        for key, value in first.items():
            np.testing.assert_array_equal(value[both], second[key][both], err_msg=key)
        actions = np.zeros((2, *action.shape[1:]), np.float32)
        actions[both] = action[both]
        batch, batch_2 = env.step(action), other.step(actions)
        np.testing.assert_array_equal(batch.reward[both], batch_2.reward[both])
        np.testing.assert_array_equal(env.world_state()[both], other.world_state()[both])
        first, second = batch.obs, batch_2.obs


def test_arrays_once_returned_never_change(env_id: str) -> None:
    env = with_pictures(env_id)
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(*trees: dict[str, np.ndarray]) -> None:
        kept.extend((value, value.copy()) for tree in trees for value in tree.values())

    keep(env.reset(), everything(env))
    for action in random_actions(env, 6):
        batch = env.step(action)
        keep(batch.obs, batch.final_obs, batch.info, everything(env), {"reward": batch.reward})
        if env.spec.camera_names:
            keep({"frame": env.render_frames(width=16, height=12)})
    env.reset(first_episode=1)
    for value, copy in kept:
        np.testing.assert_array_equal(value, copy)


@bit_for_bit
@long_in_bullet
def test_changing_what_was_returned_changes_nothing_inside(env_id: str) -> None:
    env, other = with_pictures(env_id), with_pictures(env_id)
    env.reset()
    other.reset()
    for action in random_actions(env, 4):
        batch = env.step(action)
        assert_same(batch.obs, other.step(action).obs)
        for tree in (batch.obs, batch.final_obs, batch.info, everything(env)):
            for value in tree.values():
                value[...] = 1


@bit_for_bit
@long_in_bullet
def test_restored_state_continues_bit_for_bit(env_id: str) -> None:
    env, other = with_pictures(env_id), with_pictures(env_id, seed=8, num_threads=2)
    env.reset(first_world=2)
    for action in random_actions(env, env.spec.max_episode_steps - 15):
        env.step(action)
    state = env.get_state()
    other.reset()
    other.set_state(state)
    assert_same(everything(env), everything(other))
    ends = 0
    for action in random_actions(env, 30, seed=1):
        batch, batch_2 = env.step(action), other.step(action)
        assert_same(batch.obs, batch_2.obs)
        assert_same(batch.info, batch_2.info)
        assert_same(everything(env), everything(other))
        ends += len(batch.final_ids)
    assert ends
    with pytest.raises(UserError, match="holds 4 worlds"):
        make(env_id, 2).set_state(state)
    with pytest.raises(UserError, match=re.escape(f"another version of {env_id}: once")):
        other.set_state({**state, "memory": {**state["memory"], "once": np.zeros(4)}})
