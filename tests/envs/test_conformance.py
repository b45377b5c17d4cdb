"""What every task must keep, whatever it is about. One suite, each registered id through each check."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check
from task_checks import (
    DEFAULTS,
    assert_same,
    bit_for_bit,
    long_in_bullet,
    make,
    random_actions,
    success,
    with_pictures,
)

from robossl.core import UnknownNameError, UserError
from robossl.core.registry import TASKS
from robossl.envs.spaces import observation_space

# {id: {observation: element names}} that never change, with the reason
CONSTANT: dict[str, dict[str, set[str]]] = {
    "robossl/RingCorridor-v0": {"imu": {"gyro_x_rad_s", "gyro_y_rad_s", "acc_z_m_s2"}},  # a plane without gravity
    "robossl/RoomsPointGoal-v0": {"imu": {"gyro_x_rad_s", "gyro_y_rad_s", "acc_z_m_s2"}},  # likewise
    "robossl/ArmPegInBoxGoal-v0": {"desired_goal": {"goal_z_w_m"}},  # boxes stand on the table
}
ELEMENTS = ("body", "geom", "joint", "actuator", "camera", "sensor", "site", "material", "texture", "light")


pytestmark = [pytest.mark.parametrize("env_id", TASKS), pytest.mark.usefixtures("engine")]


@long_in_bullet
def test_every_element_of_the_model_is_named(env_id: str) -> None:
    model = make(env_id, 1).engine.model
    for element in ELEMENTS:
        count = getattr(model, {"joint": "njnt", "actuator": "nu", "camera": "ncam", "texture": "ntex",
                                "material": "nmat"}.get(element, f"n{element}"))  # fmt: skip
        names = [getattr(model, element)(index).name for index in range(count)]
        assert all(names), f"{element} {names.index('')} has no name"


@long_in_bullet
def test_observations_are_what_the_spec_says(env_id: str) -> None:
    env = with_pictures(env_id)
    space = observation_space(env.spec.observation)
    obs = env.reset()
    for action in random_actions(env, 20):
        for key, spec in env.spec.observation.items():
            assert (obs[key].shape, obs[key].dtype.name) == ((4, *spec.shape), spec.dtype)
            assert spec.names == () or len(spec.names) == spec.shape[-1]
        assert all(space.contains({key: value[world] for key, value in obs.items()}) for world in range(4))
        assert all(np.isfinite(value).all() for value in obs.values())
        privileged = env.privileged()
        assert {key: value.shape for key, value in privileged.items()} == {
            key: (4, *spec.shape) for key, spec in env.spec.privileged.items()
        }
        assert all(np.isfinite(value).all() for value in privileged.values())
        obs = env.step(action).obs
    assert not any("." in key for key in env.spec.observation)


@long_in_bullet
def test_actions_are_named_and_normalised(env_id: str) -> None:
    spec = make(env_id, 1).spec.action
    assert (spec.low, spec.high, spec.dtype) == (-1, 1, "float32")
    assert len(spec.names) == spec.shape[0]


@long_in_bullet
def test_no_observation_is_constant(env_id: str) -> None:
    env = with_pictures(env_id, 16)
    series: dict[str, list[np.ndarray]] = {key: [value] for key, value in env.reset().items()}
    for action in random_actions(env, 80):
        batch = env.step(action)
        for key, value in batch.obs.items():
            series[key] += [value, batch.final_obs[key]]
    for key, values in series.items():
        spec = env.spec.observation[key]
        if spec.is_image:
            assert np.concatenate(values).std() > 0
            continue
        constant = np.flatnonzero(np.ptp(np.concatenate(values), axis=0) == 0)
        assert {spec.names[i] for i in constant} == CONSTANT.get(env_id, {}).get(key, set())


@long_in_bullet
def test_reward_is_the_weighted_sum_of_bounded_terms(env_id: str) -> None:
    env = make(env_id, 16)
    env.reset()
    weights = env.task.spec.reward_weights
    for action in random_actions(env, 40):
        batch = env.step(action)
        terms = {name: batch.info[f"reward/{name}"] for name in env.spec.reward_terms}
        assert all((np.abs(value) <= 1).all() for value in terms.values())
        expected = sum(weights[name] * value.astype(np.float64) for name, value in terms.items())
        np.testing.assert_allclose(batch.reward, expected, rtol=1e-5, atol=1e-6)
        assert all(batch.info[f"metric/{name}"].shape == (16,) for name in env.spec.metrics)


@bit_for_bit
@long_in_bullet
def test_ended_worlds_show_their_last_and_their_next_observation(env_id: str) -> None:
    env, fresh = with_pictures(env_id, 8), with_pictures(env_id, 1)
    env.reset()
    seen: list[dict[str, np.ndarray]] = []
    env.before_reset = lambda ids: seen.append(env._observe(ids))
    lengths = np.zeros(8, np.int64)
    num_ended = 0
    while num_ended < 3:
        batch = env.step(np.ones((8, *env.spec.action.shape)))
        lengths += 1
        ended = batch.terminated | batch.truncated
        assert not (batch.terminated & batch.truncated).any()
        assert batch.final_ids.tolist() == np.flatnonzero(ended).tolist()
        assert (batch.truncated[ended] == (lengths[ended] == env.spec.max_episode_steps)).all()
        lengths[ended] = 0
        if len(batch.final_ids):
            assert_same(batch.final_obs, seen.pop())
            world = int(batch.final_ids[0])
            episode = int(env.episode_keys()["episode"][world])
            assert_same(batch.obs, fresh.reset(first_world=world, first_episode=episode), rows=[world])
            num_ended += len(batch.final_ids)
    assert not seen


@long_in_bullet
def test_bad_calls_are_refused(env_id: str) -> None:
    env = make(env_id, 3)
    shape = (3, *env.spec.action.shape)
    with pytest.raises(RuntimeError, match="must be reset"):
        env.step(np.zeros(shape))
    env.reset()
    for value in (np.nan, np.inf):
        action = np.zeros(shape)
        action[1] = value
        with pytest.raises(ValueError, match=r"not finite in world\(s\) \[1\]"):
            env.step(action)
    with pytest.raises(ValueError, match="action has shape"):
        env.step(np.zeros((3, shape[1] + 1)))
    with pytest.raises(UnknownNameError, match="unknown camera"):
        env.render_frames("nowhere", width=8, height=8)
    for asked in ({"width": 0, "height": 8}, {"width": 8, "height": 8, "world": 99}) if env.spec.camera_names else ():
        with pytest.raises(UserError, match="no picture of"):
            env.render_frames(**asked)
    with pytest.raises(UnknownNameError, match="unknown observation"):
        make(env_id, observations=("rgb_nowhere",))


@bit_for_bit
@long_in_bullet
def test_actions_beyond_the_bounds_are_clipped(env_id: str) -> None:
    env, other = make(env_id), make(env_id)
    env.reset()
    other.reset()
    for action in random_actions(env, 3):
        assert_same(env.step(np.sign(action)).obs, other.step(np.sign(action) * 5).obs)


def test_every_camera_draws_a_picture(env_id: str) -> None:
    env = make(env_id, 2)
    if not env.spec.camera_names:
        assert not env_id.startswith("robossl/")
        pytest.skip("the task has no camera")
    env.reset()
    for camera in env.spec.camera_names:
        frames = [env.render_frames(camera, width=40, height=30, world=world) for world in range(2)]
        assert frames[0].shape == (30, 40, 3)
        assert frames[0].dtype == np.uint8
        assert frames[0].std() > 5
    assert (frames[0] != frames[1]).any()


@long_in_bullet
def test_the_expert_succeeds(env_id: str, engine: str) -> None:
    if make(env_id, 1).expert() is None:
        assert not env_id.startswith("robossl/")
        pytest.skip("the task has no expert")
    assert success(env_id, engine, 8).sum() >= 4


@bit_for_bit
@long_in_bullet
def test_the_checkers_of_gymnasium_and_sb3_pass(env_id: str, engine: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", _only_known_warnings)
        render_mode = "rgb_array" if make(env_id, 1).spec.camera_names else None
        env = gymnasium.make(env_id, engine=engine, device=DEFAULTS.get("device"), render_mode=render_mode)
        gymnasium_check(env.unwrapped, skip_render_check=render_mode is None)
        sb3_check(env.unwrapped)


def _only_known_warnings(message: Any, *_: Any, **__: Any) -> None:
    assert any(known in str(message) for known in ("infinity", "minimal resolution")), message
