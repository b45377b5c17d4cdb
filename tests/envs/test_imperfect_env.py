"""Sensor models, exactly and statistically, around an environment whose every number says where it comes from."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robossl.core import ArraySpec, Draws, StepBatch, Stream, UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.imperfect_env import ImperfectEnv, ImperfectSensor
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.observable import sized
from robossl.envs.render import make_renderer
from robossl.envs.render.poses import LastPoses
from robossl.envs.sensor_model import SensorModel, decisions_late

HZ = 10.0  # of CounterEnv; its episodes last 3 + (world + episode) % 4 steps
ALL = SensorModel(
    rate_hz=5.0,
    delay_s=0.2,
    noise_std=0.5,
    noise_relative=0.1,
    bias_std=1.0,
    drift_std=1.0,
    resolution=0.25,
    dropout=0.3,
)


class Still:
    """A `BatchEnv` of one number, 2.0, and one grey picture for 1,000 steps."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def reset(self, **start: int) -> dict[str, np.ndarray]:
        return self._still(self._env.reset(**start))

    def step(self, action: Any) -> StepBatch:
        ids, nobody = np.zeros(0, np.int64), np.zeros(self.num_worlds, bool)
        obs = self._still(self._env._observe(np.arange(self.num_worlds)))
        return StepBatch(obs, nobody * 0.0, nobody, nobody, ids, {key: value[ids] for key, value in obs.items()}, {})

    def _still(self, obs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: np.full_like(value, 2 if value.dtype == np.float32 else 100) for key, value in obs.items()}


def imperfect(counter_env: Any, num_worlds: int = 3, key: str = "proprio", **model: Any) -> ImperfectEnv:
    return ImperfectEnv(counter_env(num_worlds), {key: SensorModel(**model)}, WorldSeed(seed=5))


def run(env: Any, num_steps: int) -> list[StepBatch]:
    return [env.step(np.zeros((env.num_worlds, 2), np.float32)) for _ in range(num_steps)]


def still(
    counter_env: Any, num_steps: int = 400, num_worlds: int = 20, key: str = "proprio", **model: Any
) -> np.ndarray:
    """Returns what a model makes of a constant: [num_steps + 1, N, ...]."""
    env = ImperfectEnv(Still(counter_env(num_worlds)), {key: SensorModel(**model)}, WorldSeed(seed=1))
    first = env.reset()[key]
    return np.stack([first, *(batch.obs[key] for batch in run(env, num_steps))])


def test_a_perfect_model_changes_nothing(counter_env: Any) -> None:
    env, true = imperfect(counter_env), counter_env(3)
    np.testing.assert_array_equal(env.reset()["proprio"], true.reset()["proprio"])
    for batch, expected in zip(run(env, 20), run(true, 20), strict=True):
        for key in expected.obs:
            np.testing.assert_array_equal(batch.obs[key], expected.obs[key])
            np.testing.assert_array_equal(batch.final_obs[key], expected.final_obs[key])


@pytest.mark.parametrize(("delay_s", "delay"), [(0.1, 1), (0.2, 2), (0.14, 1), (0.15, 2), (0.04, 0), (2.0, 20)])
def test_a_delay_shows_what_was_true_so_many_decisions_ago(counter_env: Any, delay_s: float, delay: int) -> None:
    env = imperfect(counter_env, 5, delay_s=delay_s)
    truth = [env.reset()["proprio"].copy()]
    world = np.arange(5)
    np.testing.assert_array_equal(truth[0], np.stack([world, 0 * world, 0 * world], axis=1))
    episode, step = np.zeros(5, int), np.zeros(5, int)
    for batch in run(env, 30):
        step += 1
        for row, ended in enumerate(batch.final_ids):
            last = [ended, episode[ended], max(step[ended] - delay, 0)]
            np.testing.assert_array_equal(batch.final_obs["proprio"][row], last)
        episode[batch.final_ids] += 1
        step[batch.final_ids] = 0
        expected = np.stack([world, episode, np.maximum(step - delay, 0)], axis=1)
        np.testing.assert_array_equal(batch.obs["proprio"], expected)


def test_a_slow_sensor_holds_its_samples(counter_env: Any) -> None:
    env = imperfect(counter_env, 1, rate_hz=4.0)  # at 0, 0.25 and 0.5 s: decisions 0, 3 and 5
    steps = [env.reset(first_world=3)["proprio"][0, 2]]
    batches = run(env, 6)  # episode 0 of world 3 lasts 6 steps
    steps += [batch.obs["proprio"][0, 2] for batch in batches[:-1]]
    assert steps == [0, 0, 0, 3, 3, 5]
    assert batches[-1].final_obs["proprio"][0, 2] == 5
    assert batches[-1].obs["proprio"].tolist() == [[3, 1, 0]]


def test_a_delayed_slow_sensor_shows_old_samples(counter_env: Any) -> None:
    env = imperfect(counter_env, 1, rate_hz=5.0, delay_s=0.1)
    env.reset(first_world=3)
    assert [batch.obs["proprio"][0, 2] for batch in run(env, 5)] == [0, 0, 2, 2, 4]


def test_lost_samples_are_held_or_zero(counter_env: Any) -> None:
    env = imperfect(counter_env, 4, dropout=0.5)
    seen, num_lost, num_all = env.reset()["proprio"].copy(), 0, 0
    for _ in range(200):
        (batch,) = run(env, 1)
        truth = np.array(env.env._observe(np.arange(4))["proprio"])
        running = np.setdiff1d(np.arange(4), batch.final_ids)
        lost = (batch.obs["proprio"] != truth).any(axis=1)
        assert not lost[batch.final_ids].any()  # the first sample of an episode is never lost
        np.testing.assert_array_equal(batch.obs["proprio"][lost], seen[lost])
        num_lost, num_all = num_lost + lost[running].sum(), num_all + len(running)
        seen = batch.obs["proprio"].copy()
    assert abs(num_lost / num_all - 0.5) < 0.08  # 4 standard errors
    zeros = still(counter_env, dropout=0.2, on_dropout="zero")
    assert set(np.unique(zeros)) == {0.0, 2.0}
    assert abs((zeros == 0).mean() - 0.2) < 0.03
    assert (np.ptp(zeros, axis=2) == 0).all()  # a reading is lost as a whole


@pytest.mark.parametrize(("on_dropout", "low"), [("hold", np.float32(0.12)), ("zero", 0.0)])
def test_what_is_shown_for_a_lost_sample_lies_within_the_spec(on_dropout: Any, low: float) -> None:
    sensors = {"lidar": SensorModel(dropout=0.9, on_dropout=on_dropout)}
    config = EnvConfig(id="robossl/RoomsPointGoal-v0", num_worlds=2, observations=("lidar",), sensors=sensors)
    env = make_env(config, WorldSeed())
    seen = [env.reset()["lidar"], *(env.step(np.zeros((2, 2), np.float32)).obs["lidar"] for _ in range(3))]
    spec = env.spec.observation["lidar"]
    assert np.float32(spec.low) == low
    assert all(spec.low <= values.min() <= values.max() <= spec.high for values in seen)


def test_a_lost_picture_of_ids_shows_nothing() -> None:
    keys = ("segmentation_front", "bodies_front", "depth_front")
    sensors = dict.fromkeys(keys, SensorModel(dropout=0.99, on_dropout="zero"))
    config = EnvConfig(num_worlds=2, observations=keys, image_size=(8, 6), sensors=sensors)
    env = make_env(config, WorldSeed())
    env.reset()
    seen = [env.step(np.zeros((2, 1), np.float32)).obs for _ in range(3)]
    env.close()
    shown = {key: {float(obs[key][0].max()) for obs in seen if np.ptp(obs[key][0]) == 0} for key in keys}
    assert shown == {"segmentation_front": {-1.0}, "bodies_front": {-1.0}, "depth_front": {0.0}}


def test_noise_has_the_moments_it_was_given_and_is_white(counter_env: Any) -> None:
    noise = still(counter_env, noise_std=0.3, noise_relative=0.2) - 2.0
    assert abs(noise.mean()) < 0.02
    assert noise.std() == pytest.approx(0.3 + 0.2 * 2.0, rel=0.02)
    flat = noise.reshape(len(noise), -1)
    correlation = np.corrcoef(flat[:-1].ravel(), flat[1:].ravel())[0, 1]
    assert abs(correlation) < 0.03
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05


def test_a_bias_stays_for_an_episode_and_a_drift_walks_away(counter_env: Any) -> None:
    bias = still(counter_env, num_worlds=200, num_steps=3, bias_std=0.5) - 2.0
    assert (np.ptp(bias, axis=0) == 0).all()
    assert bias[0].std() == pytest.approx(0.5, rel=0.12)
    drift = still(counter_env, num_worlds=200, num_steps=40, drift_std=0.5) - 2.0
    np.testing.assert_array_equal(drift[0], 0)
    assert drift[10].std() == pytest.approx(0.5, rel=0.12)  # after one second
    assert drift[40].std() == pytest.approx(1.0, rel=0.12)  # after four: the root of time
    env = imperfect(counter_env, 1, bias_std=0.5)
    offsets = [env.reset()["proprio"][0, 0]]
    offsets += [batch.obs["proprio"][0, 0] for batch in run(env, 12)]
    assert len(set(offsets)) == 4  # episodes of 3, 4 and 5 steps, and a fourth one


def test_a_bias_alone_is_drawn_only_as_episodes_begin(counter_env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, normal = list[int](), Draws.normal
    monkeypatch.setattr(Draws, "normal", lambda self, shape: drawn.append(self.num_episodes) or normal(self, shape))
    env = imperfect(counter_env, 1, bias_std=0.5)
    env.reset()
    run(env, 12)
    assert drawn == [1] * 4  # episodes of 3, 4 and 5 steps, and a fourth one


def test_numbers_are_rounded_to_the_resolution(counter_env: Any) -> None:
    values = still(counter_env, noise_std=0.3, resolution=0.25)
    np.testing.assert_array_equal(values * 4, np.rint(values * 4))
    assert len(np.unique(values)) > 5


def test_pictures_stay_pictures(counter_env: Any) -> None:
    pictures = still(counter_env, key="rgb_front", num_steps=20, noise_std=10.0)
    assert pictures.dtype == np.uint8
    assert pictures.std() == pytest.approx(10.0, rel=0.02)
    assert still(counter_env, key="rgb_front", num_steps=5, noise_std=500.0).min() == 0
    assert set(np.unique(still(counter_env, key="rgb_front", num_steps=5, noise_std=15.0, resolution=50.0))) == {
        50,
        100,
        150,
    }


def test_worlds_are_the_same_in_any_company(counter_env: Any) -> None:
    both = {"proprio": ALL, "rgb_front": ALL}
    many, one = (ImperfectEnv(counter_env(n), both, WorldSeed(seed=5, stream=Stream.EVAL)) for n in (6, 1))
    obs, alone = many.reset(first_world=2), one.reset(first_world=5)
    for batch, single in zip(run(many, 40), run(one, 40), strict=True):
        for key in both:
            np.testing.assert_array_equal(obs[key][3], alone[key][0])
        obs, alone = batch.obs, single.obs
    other = ImperfectEnv(counter_env(1), both, WorldSeed(seed=5, stream=Stream.TRAIN))
    assert (other.reset(first_world=5)["proprio"] != one.reset(first_world=5)["proprio"]).any()


def test_one_model_does_not_change_anothers_noise(counter_env: Any) -> None:
    alone = imperfect(counter_env, noise_std=1.0)
    models = {"rgb_front": ALL, "proprio": SensorModel(noise_std=1.0, dropout=0.1)}
    together = ImperfectEnv(counter_env(3), models, WorldSeed(seed=5))
    np.testing.assert_array_equal(alone.reset()["proprio"], together.reset()["proprio"])


def test_a_run_resumed_in_the_middle_of_a_delay_is_the_same(counter_env: Any) -> None:
    models = {"proprio": ALL, "rgb_front": ALL}
    env = ImperfectEnv(counter_env(4), models, WorldSeed(seed=5))
    env.reset(first_world=1, seed=8)
    run(env, 7)
    state, expected = env.get_state(), run(env, 15)
    resumed = ImperfectEnv(counter_env(4), models, WorldSeed(seed=6))
    resumed.reset()
    resumed.set_state(state)
    for batch, other in zip(expected, run(resumed, 15), strict=True):
        for key in models:
            np.testing.assert_array_equal(batch.obs[key], other.obs[key])
            np.testing.assert_array_equal(batch.final_obs[key], other.final_obs[key])


def test_what_was_returned_is_never_changed_later(counter_env: Any) -> None:
    env = imperfect(counter_env, delay_s=0.2, noise_std=0.1)
    obs = env.reset()["proprio"]
    kept = obs.copy()
    obs[...] = 99
    for batch in run(env, 3):
        assert (batch.obs["proprio"] < 50).all()
    assert (kept != 99).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate_hz": 0.0}, "rate-hz must be positive, got 0"),
        ({"delay_s": -0.1}, "delay-s must be finite and not negative"),
        ({"delay_s": 1e9}, "delay-s must be at most 60, got 1000000000.0"),
        ({"noise_std": float("nan")}, "noise-std must be finite"),
        ({"dropout": 1.0}, "dropout is a probability below 1"),
        ({"noise_std": 1e39}, r"noise-std must be at most 1e\+20, got 1e\+39"),  # infinite in single precision
        ({"drift_std": 1e300}, "drift-std must be at most"),
        ({"resolution": 1e-45}, "resolution is between 1e-20 and 1e\\+20, got 1e-45"),
        ({"resolution": 1e39}, "resolution is between"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SensorModel(**wrong)


@pytest.mark.parametrize("size", [1e20, 1e-20])
def test_numbers_stay_finite_with_the_greatest_and_the_least_errors(counter_env: Any, size: float) -> None:
    values = still(counter_env, noise_std=size, noise_relative=size, bias_std=size, drift_std=size, resolution=size)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(("delay_s", "late"), [(0.04, 1), (0.12, 2), (1.16, 15), (2.28, 29), (1.15, 14), (0.0, 0)])
def test_half_a_decision_is_rounded_upwards_at_every_rate(delay_s: float, late: int) -> None:
    assert decisions_late(delay_s, 12.5) == late


def test_a_seed_that_is_refused_leaves_the_noise_as_it_was() -> None:
    config = EnvConfig(
        id="robossl/RingCorridor-v0", num_worlds=1, num_threads=1, sensors={"proprio": SensorModel(noise_std=0.1)}
    )
    env, other = (make_env(config, WorldSeed(seed=4)) for _ in range(2))
    with pytest.raises(UserError, match="a seed goes from 0"):
        env.reset(seed=-1)
    np.testing.assert_array_equal(env.reset()["proprio"], other.reset()["proprio"])


def test_a_model_of_something_unseen_names_the_nearest() -> None:
    def make(key: str, **model: Any) -> None:
        models = {key: SensorModel(**model)}
        observations = ("proprio", "segmentation_front")
        make_env(EnvConfig(num_worlds=1, num_threads=1, observations=observations, sensors=models), WorldSeed())

    with pytest.raises(UnknownNameError, match="'propio'; did you mean 'proprio'"):
        make("propio")
    with pytest.raises(UserError, match="'segmentation_front' holds labels"):
        make("segmentation_front", noise_std=1.0)
    make("segmentation_front", delay_s=0.25)


SLOW = SensorModel(rate_hz=1.0, delay_s=0.25, noise_std=3.0, dropout=0.2)


@pytest.mark.parametrize(
    ("sensors", "cameras", "least", "most"),
    [
        ({"rgb_front": SLOW, "depth_front": SensorModel(rate_hz=2.0)}, ("front",), 0.4, 0.75),
        ({"rgb_front": SLOW}, ("front",), 1.0, 1.0),  # depth is wanted at every decision, and comes from the same rays
        ({"rgb_front": SLOW, "depth_front": SLOW}, ("front", "top"), 0.6, 0.9),  # one of two cameras is slow
    ],
)
def test_slow_cameras_are_drawn_only_where_they_take_a_sample_and_show_the_same(
    sensors: dict[str, SensorModel], cameras: tuple[str, ...], least: float, most: float
) -> None:
    observations = ("rgb_front", "depth_front", "proprio", *(["rgb_top"] if "top" in cameras else []))
    config = EnvConfig(num_worlds=5, num_threads=1, image_size=(16, 12), observations=observations)
    worlds = WorldSeed(seed=3)
    lazy = make_env(replace(config, sensors=sensors), worlds)
    eager = ImperfectEnv(Hidden(make_env(config, worlds)), sensors, worlds)  # type: ignore[arg-type]
    assert lazy.spec == eager.spec
    drawn = [drawn_cameras(env.env) for env in (lazy, eager)]  # type: ignore[attr-defined]
    expected = eager.reset()
    for key, value in lazy.reset().items():
        np.testing.assert_array_equal(value, expected[key])
    generator = np.random.default_rng(0)
    for _ in range(30):
        action = generator.uniform(-1, 1, (5, 1)).astype(np.float32)
        one, other = lazy.step(action), eager.step(action)
        for seen, expected in ((one.obs, other.obs), (one.final_obs, other.final_obs)):
            for key, value in seen.items():
                np.testing.assert_array_equal(value, expected[key], err_msg=key)
    assert least <= sum(drawn[0]) / sum(drawn[1]) <= most
    lazy.close()
    eager.close()


def test_flow_of_a_slow_camera_tells_what_moved_since_its_last_sample() -> None:
    observations = ("flow_front", "flow_top", "proprio")
    sensors = {"flow_front": SensorModel(rate_hz=1.5)}
    config = EnvConfig(num_worlds=3, num_threads=1, image_size=(16, 12), observations=observations, sensors=sensors)
    env = make_env(config, WorldSeed(seed=3))
    assert isinstance(env, ImperfectEnv)
    expected, cameras = dict(env.reset()), drawn_cameras(env.env)
    engine = MujocoEngine(env.engine.model, 3, 1)
    before, specs = LastPoses(engine), sized(env.task.spec.cameras, (16, 12))
    by_hand = {key: make_renderer("raycast", engine, specs, (key,), before) for key in observations[:2]}
    everyone, generator = np.arange(3), np.random.default_rng(0)
    states, age, kept = [env.world_state()], np.zeros(3, int), None
    largest = 0.0
    for decision in range(1, 25):
        step = env.step(generator.uniform(-0.2, 0.2, (3, 1)).astype(np.float32))
        if decision == 7:
            kept = env.get_state()
        age += 1
        age[step.final_ids] = 0
        states.append(env.world_state())
        is_due = np.array([is_sample(a) for a in age])[:, None, None, None]
        gone = [next((k for k in range(1, a + 1) if is_sample(a - k)), 0) for a in age]
        for key, ages in {"flow_front": gone, "flow_top": np.minimum(age, 1)}.items():
            engine.set_state(np.stack([states[-1 - k][world] for world, k in enumerate(ages)]), everyone)
            before.keep()
            engine.set_state(states[-1], everyone)
            drawn = by_hand[key].render()[key]
            expected[key] = np.where(is_due | (key == "flow_top"), drawn, expected[key])
            np.testing.assert_allclose(step.obs[key], expected[key], atol=1e-4, err_msg=f"{key} {decision}")
        largest = max(largest, float(np.abs(step.obs["flow_front"]).max()))
    assert largest > 1
    assert sum(cameras) < 2 * 3 * 24 * 0.9
    assert kept is not None
    last = step.obs["flow_front"]
    env.set_state(kept)
    generator = np.random.default_rng(0)
    actions = [generator.uniform(-0.2, 0.2, (3, 1)).astype(np.float32) for _ in range(24)]
    for action in actions[7:]:
        step = env.step(action)
    np.testing.assert_array_equal(step.obs["flow_front"], last)
    env.close()


def is_sample(age: int) -> bool:
    """Tells whether a camera of 1.5 Hz takes a picture at this decision of an episode, at 4 Hz."""
    return age == 0 or int(age * 1.5 / 4 + 1e-9) > int((age - 1) * 1.5 / 4 + 1e-9)


class Hidden:
    """An environment whose cameras nobody can spare, as it is not seen what it is."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


def drawn_cameras(env: Any) -> list[int]:
    """Notes how many cameras each call of a renderer draws, in all its worlds."""
    counts: list[int] = []

    def note(renderer: Any) -> None:
        render = renderer.render

        def noting(ids: Any = None) -> Any:
            pictures = render(ids)
            counts.append(len({key.partition("_")[2] for key in pictures}) * len(next(iter(pictures.values()))))
            return pictures

        renderer.render = noting

    for shots in env.pictures._shots:
        note(shots.renderer)
    return counts


def test_samples_under_way_that_do_not_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robossl.envs.imperfect_env.available_bytes", lambda: 2**20)
    config = EnvConfig(id="robossl/ArmPush-v0", num_worlds=8, num_threads=1, observations=("rgb_static", "proprio"))
    late = SensorModel(delay_s=10.0)
    with pytest.raises(UserError, match=r"env.sensors.rgb_static.delay-s: .* in 8 worlds need about 0\.0 GiB"):
        make_env(replace(config, sensors={"rgb_static": late, "proprio": late}), WorldSeed())
    make_env(replace(config, sensors={"proprio": late}), WorldSeed()).close()


def test_where_a_depth_camera_sees_nothing_there_is_no_noise() -> None:
    config = EnvConfig(num_worlds=2, num_threads=1, observations=("depth_front",), image_size=(16, 9))
    noisy = SensorModel(noise_std=0.05, bias_std=0.1, resolution=0.01)
    true = make_env(config, WorldSeed()).reset()["depth_front"]
    seen = make_env(replace(config, sensors={"depth_front": noisy}), WorldSeed()).reset()["depth_front"]
    is_nothing = true == 0
    assert is_nothing.any()
    assert (seen[is_nothing] == 0).all()
    assert np.std(seen[~is_nothing] - true[~is_nothing]) > 0.02


def test_a_distance_however_wrong_does_not_become_nothing() -> None:
    noisy = {"depth_front": SensorModel(noise_std=5.0, resolution=1.0)}
    config = EnvConfig(num_worlds=2, num_threads=1, observations=("depth_front",), image_size=(16, 9))
    true = make_env(config, WorldSeed()).reset()["depth_front"]
    seen = make_env(replace(config, sensors=noisy), WorldSeed()).reset()["depth_front"]
    np.testing.assert_array_equal(seen == 0, true == 0)
    assert seen[true != 0].min() == np.float32(1e-3)


def test_a_vector_that_is_named_like_a_depth_picture_is_none() -> None:
    sensor = ImperfectSensor(SensorModel(noise_std=1e-6), ArraySpec(shape=(3,)), HZ, 1)
    draws = Draws(0, Stream.TRAIN, np.zeros(1, np.int64), np.zeros(1, np.int64))
    truth, first = np.array([[-0.5, 0.2, 0.0]], np.float32), np.zeros(1, np.int64)
    seen = sensor.seen(truth, first, "depth_error", draws, first)
    np.testing.assert_allclose(seen, truth, rtol=0, atol=1e-5)
    assert seen[0, 2] != 0
