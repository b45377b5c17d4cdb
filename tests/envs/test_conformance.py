"""What every task must keep, whatever it is about. One suite, each registered id through each check."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from robossl.core import Stream, UnknownNameError, UserError
from robossl.core.registry import TASKS
from robossl.core.specs import MODALITIES
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.sensors import ForceTorque, Imu, Touch
from robossl.envs.spaces import observation_space
from robossl.envs.task_env import TaskEnv

CONSTANT: dict[str, dict[str, set[str]]] = {  # {id: {observation: element names}} that never change, with the reason
    "robossl/RingCorridor-v0": {"imu": {"gyro_x_rad_s", "gyro_y_rad_s", "acc_z_m_s2"}},  # a plane without gravity
}
FORCES = (ForceTorque, Imu, Touch)  # what MuJoCo's solver computes: Bullet refuses it by name
ELEMENTS = ("body", "geom", "joint", "actuator", "camera", "sensor", "site", "material", "texture", "light")

ENGINES = ("mujoco", "bullet")
DEFAULTS: dict[str, Any] = {"num_threads": 1}

pytestmark = pytest.mark.parametrize("env_id", TASKS)
long_in_bullet = pytest.mark.parametrize(
    "engine", ["mujoco", pytest.param("bullet", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture(autouse=True, params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs everything in each of the engines."""
    monkeypatch.setitem(DEFAULTS, "engine", request.param)
    return str(request.param)


def make(env_id: str, num_worlds: int = 4, *, seed: int = 3, stream: Stream = Stream.TRAIN, **options: Any) -> TaskEnv:
    config = EnvConfig(id=env_id, num_worlds=num_worlds, **{**DEFAULTS, **options})
    env = make_env(config, WorldSeed(seed=seed, stream=stream))
    assert isinstance(env, TaskEnv)
    return env


def with_pictures(env_id: str, num_worlds: int = 4, **options: Any) -> TaskEnv:
    """Makes the environment with all that it can observe, from one small camera."""
    probe = make(env_id, 1)
    sensors = {
        key
        for key, sensor in probe.task.spec.sensors.items()
        if not (DEFAULTS["engine"] == "bullet" and isinstance(sensor, FORCES))
    }
    vectors, camera = (*probe.task.spec.vectors, *sorted(sensors)), probe.spec.camera_names[0]
    probe.close()
    pictures = tuple(f"{modality}_{camera}" for modality in MODALITIES)
    return make(env_id, num_worlds, observations=(*vectors, *pictures), image_size=(16, 12), **options)


def random_actions(env: TaskEnv, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.uniform(-1, 1, (64, *env.spec.action.shape)).astype(np.float32)[: env.num_worlds]


def everything(env: TaskEnv) -> dict[str, np.ndarray]:
    """Returns all that can be asked of the running episodes."""
    return {**env.privileged(), **env.model_values(), "state": env.world_state()}


def assert_same(first: dict[str, Any], second: dict[str, Any], rows: Any = slice(None)) -> None:
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(np.asarray(value)[rows], second[key], err_msg=key)


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
            assert spec.names == () or len(spec.names) == spec.shape[0]
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


def test_an_episode_does_not_depend_on_what_was_before(env_id: str) -> None:
    env, fresh = with_pictures(env_id), with_pictures(env_id)
    env.reset(first_world=5, seed=9)
    for action in random_actions(env, 15):
        env.step(action)
    assert_same(env.reset(first_world=2, first_episode=1, seed=3), fresh.reset(first_world=2, first_episode=1))
    for action in random_actions(env, 5):
        assert_same(env.step(action).obs, fresh.step(action).obs)
        assert_same(everything(env), everything(fresh))


def test_a_world_is_the_same_in_any_company(env_id: str) -> None:
    env, alone = with_pictures(env_id, 5, num_threads=2), with_pictures(env_id, 1)
    assert_same(env.reset(), alone.reset(first_world=3), rows=[3])
    for action in random_actions(env, 12):
        batch, batch_2 = env.step(action), alone.step(action[3:4])
        assert_same(batch.obs, batch_2.obs, rows=[3])
        assert_same(batch.info, batch_2.info, rows=[3])
        assert batch.reward[3] == batch_2.reward[0]
        assert_same(everything(env), everything(alone), rows=[3])


def test_arrays_once_returned_never_change(env_id: str) -> None:
    env = with_pictures(env_id)
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(*trees: dict[str, np.ndarray]) -> None:
        kept.extend((value, value.copy()) for tree in trees for value in tree.values())

    keep(env.reset(), everything(env))
    for action in random_actions(env, 6):
        batch = env.step(action)
        keep(batch.obs, batch.final_obs, batch.info, everything(env), {"reward": batch.reward})
        keep({"frame": env.render_frames(width=16, height=12)})
    env.reset(first_episode=1)
    for value, copy in kept:
        np.testing.assert_array_equal(value, copy)


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


@long_in_bullet
def test_no_observation_is_constant(env_id: str) -> None:
    env = with_pictures(env_id, 16)
    series: dict[str, list[np.ndarray]] = {key: [value] for key, value in env.reset().items()}
    for action in random_actions(env, 30):
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
def test_restored_state_continues_bit_for_bit(env_id: str) -> None:
    env, other = with_pictures(env_id), with_pictures(env_id, seed=8, num_threads=2)
    env.reset(first_world=2)
    for action in random_actions(env, 45):
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
    with pytest.raises(UnknownNameError, match="unknown observation"):
        make(env_id, observations=("rgb_nowhere",))


@long_in_bullet
def test_actions_beyond_the_bounds_are_clipped(env_id: str) -> None:
    env, other = make(env_id), make(env_id)
    env.reset()
    other.reset()
    for action in random_actions(env, 3):
        assert_same(env.step(np.sign(action)).obs, other.step(np.sign(action) * 5).obs)


def test_every_camera_draws_a_picture(env_id: str) -> None:
    env = make(env_id, 2)
    env.reset()
    for camera in env.spec.camera_names:
        frames = [env.render_frames(camera, width=40, height=30, world=world) for world in range(2)]
        assert frames[0].shape == (30, 40, 3)
        assert frames[0].dtype == np.uint8
        assert frames[0].std() > 5
    assert (frames[0] != frames[1]).any()


@long_in_bullet
def test_the_expert_succeeds(env_id: str) -> None:
    env = make(env_id, 8, observations=tuple(make(env_id, 1).task.spec.vectors))
    expert = env.expert()
    assert expert is not None
    obs = env.reset()
    expert.reset(np.arange(8))
    first: dict[int, bool] = {}
    for _ in range(env.spec.max_episode_steps):
        batch = env.step(expert.act(obs, env.privileged()))
        for world in batch.final_ids:
            first.setdefault(int(world), bool(batch.info["is_success"][world]))
        expert.reset(batch.final_ids)
        obs = batch.obs
    assert len(first) == 8
    assert sum(first.values()) >= 4


@long_in_bullet
def test_the_checkers_of_gymnasium_and_sb3_pass(env_id: str, engine: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", _only_known_warnings)
        env = gymnasium.make(env_id, engine=engine, render_mode="rgb_array")
        gymnasium_check(env.unwrapped)
        sb3_check(env.unwrapped)


def _only_known_warnings(message: Any, *_: Any, **__: Any) -> None:
    assert any(known in str(message) for known in ("infinity", "minimal resolution")), message
