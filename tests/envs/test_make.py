"""From a config to an environment: levels of difficulty."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from robossl.core import UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.make import make_task
from robossl.envs.motion import MotionConfig
from robossl.envs.randomisation import Randomisation
from robossl.envs.sensor_model import SensorModel


def test_a_level_changes_the_task() -> None:
    radii = [make_task("robossl/ArmReach-v0", level).goal_radius_m for level in ("easy", "medium", "hard")]
    assert radii == sorted(radii, reverse=True)
    assert len(set(radii)) == 3
    assert make_task("robossl/ArmReach-v0").config == make_task("robossl/ArmReach-v0", "medium").config


def test_the_config_and_gymnasium_choose_the_level() -> None:
    env = make_env(EnvConfig(id="robossl/ArmReach-v0", num_worlds=1, difficulty="hard"), WorldSeed())
    assert env.task.config.success_radius_m == 0.02
    env = gymnasium.make("robossl/ArmReachGoal-v0", difficulty="hard").unwrapped
    assert env.batch_env.task.task.config.success_radius_m == 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": "robossl/RingCorridor-v0", "difficulty": "harder"}, "has no level 'harder'; it has easy, medium, hard"),
        ({"id": "robossl/ArmReach-v0", "difficulty": "absurd"}, "has no level 'absurd'; it has easy, medium, hard"),
        ({"id": "Pendulum-v1", "difficulty": "easy"}, "Pendulum-v1 has no levels"),
        ({"id": "Pendulum-v1", "randomise": {"mass": (1, 2)}}, r"^env\.randomise: Pendulum-v1 brings its own physics"),
    ],
)
def test_what_an_environment_does_not_have_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_env(EnvConfig(num_worlds=1, **options), WorldSeed())


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
def test_a_seed_that_would_stand_for_another_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=f"a seed goes from 0 to 4294967295, got {seed}"):
        WorldSeed(seed=seed)
    with pytest.raises(UserError, match="a seed goes from 0"):
        make_env(EnvConfig(id="robossl/RingCorridor-v0", num_worlds=1), WorldSeed()).reset(seed=seed)
    assert WorldSeed(seed=2**32 - 1).seed == 2**32 - 1


@pytest.mark.parametrize("seed", [1.5, "1", None])
def test_a_seed_that_is_no_whole_number_is_refused(seed: Any) -> None:
    with pytest.raises(UserError, match="seed must be a whole number, got "):
        WorldSeed(seed=seed)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"first_world": -1}, "first_world must be a whole number from 0 to [0-9]+, got -1"),
        ({"first_episode": -1}, "first_episode must be a whole number from 0 to 4294967295, got -1"),
        ({"first_world": 0.5}, "first_world must be a whole number from 0 to [0-9]+, got 0.5"),
        ({"first_world": True}, "first_world must be a whole number from 0 to [0-9]+, got True"),
        ({"first_world": 2**32}, "first_world must be a whole number from 0 to [0-9]+, got 4294967296"),
        ({"first_world": 5, "first_episode": 2**63, "seed": 7}, "first_episode must be .* got 9223372036854775808"),
    ],
)
def test_worlds_that_there_are_not_are_refused(where: dict[str, Any], message: str) -> None:
    env = make_env(EnvConfig(id="robossl/ArmReach-v0", num_worlds=1, num_threads=1), WorldSeed())
    with pytest.raises(UserError, match=message):
        env.reset(**where)
    state = env.get_state()
    assert state["first_world"] == state["episode"][0] == state["seed"] == 0


@pytest.mark.parametrize(("option", "name"), [("renderer", "raycats"), ("engine", "mujocco")])
def test_a_name_that_nothing_has_is_refused_whether_or_not_it_would_be_looked_at(option: str, name: str) -> None:
    options: dict[str, Any] = {option: name}
    with pytest.raises(UnknownNameError, match=f"unknown {option} '{name}'; did you mean"):
        EnvConfig(id="robossl/ArmReach-v0", **options)


def test_lists_and_mappings_are_taken_for_tuples_and_sensor_models() -> None:
    named = EnvConfig(sensors={"proprio": {"noise_std": 0.1}}, randomise={"mass": [0.5, 1.5], "all": 1})
    model = SensorModel(noise_std=0.1)
    assert named == EnvConfig(sensors={"proprio": model}, randomise={"mass": (0.5, 1.5), "all": 1.0})
    assert isinstance(named.randomise["mass"], tuple)
    assert EnvConfig(randomise={"mass": np.array(0.5)}).randomise == {"mass": 0.5}
    ranges = np.array([0.5, 1.5])
    env = gymnasium.make("robossl/ArmReach-v0", randomise={"damping": ranges}, sensors={"proprio": {"delay_s": 0.2}})
    assert env.unwrapped.batch_env.spec.id == "robossl/ArmReach-v0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"randomise": {"mass": [1, 2, 3]}}, r"env.randomise.mass: a range is one number, .* got \[1, 2, 3\]"),
        ({"randomise": {"mass": "much"}}, "env.randomise.mass: a range is one number, .* got 'much'"),
        ({"randomise": {"mass": None}}, "env.randomise.mass: a range is one number, .* got None"),
        ({"sensors": {"proprio": 0.1}}, "env.sensors.proprio must be a SensorModel, or its fields by name, got 0.1"),
        ({"sensors": {"proprio": {"noise": 0.1}}}, "unknown key in env.sensors.proprio: 'noise'"),
        ({"sensors": {"proprio": {"delay_s": "0.1"}}}, "env.sensors.proprio.delay-s must be a number, got '0.1'"),
        ({"sensors": None}, "env.sensors must be a dict, got None"),
        ({"randomise": 0.5}, "env.randomise must be a dict, got 0.5"),
        ({"randomise": {"mass": True}}, "env.randomise.mass: a range is one number, .* got True"),
    ],
)
def test_what_is_no_range_and_no_sensor_is_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        EnvConfig(**options)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("id", 3, "env.id must be a text, got 3"),
        ("num_worlds", "3", "env.num-worlds must be a whole number, got '3'"),
        ("num_threads", True, "env.num-threads must be a whole number, got True"),
        ("delay_s", "late", "env.delay-s must be a number, got 'late'"),
        ("image_size", 32, "env.image-size must be 2 whole numbers, got 32"),
        ("image_size", (32.0, 24), r"env.image-size must be 2 whole numbers, got \(32.0, 24\)"),
        ("image_size", {32, 24}, "env.image-size must be 2 whole numbers, got"),
        ("image_size", torch.tensor(3), "env.image-size must be 2 whole numbers, got tensor"),
        ("image_size", (32, 24, 3), r"env.image-size must be 2 whole numbers, got \(32, 24, 3\)"),
        ("observations", "rgb_static", "env.observations must be a list of texts, got 'rgb_static'"),
        ("engine", 3, "env.engine must be one of mujoco, bullet, warp, got 3"),
        ("motion", 1.5, "env.motion must be a MotionConfig, or its fields by name, got 1.5"),
        ("motion", {"horizon": 1.5}, "unknown key in env.motion: 'horizon'; did you mean 'horizon_periods'"),
        ("motion", {"blend_s": "long"}, "env.motion.blend-s must be a number, got 'long'"),
    ],
)
def test_what_does_not_fit_a_field_is_named(option: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        EnvConfig(**{option: value})


def test_numbers_of_numpy_and_lists_and_mappings_fit() -> None:
    motion = {"acceleration_rad_s2": [2, np.float32(0.5)]}
    given = EnvConfig(num_worlds=np.int64(3), delay_s=1, image_size=[32, 24], observations=["proprio"], motion=motion)
    assert (given.num_worlds, given.delay_s) == (3, 1.0)
    assert (given.image_size, given.observations) == ((32, 24), ("proprio",))
    assert given.motion == MotionConfig(acceleration_rad_s2=(2.0, 0.5))
    assert [type(given.num_worlds), type(given.delay_s)] == [int, float]
    for observations in ({"proprio", "goal"}, {"goal": 1, "proprio": 2}.keys()):
        assert EnvConfig(observations=observations).observations == ("goal", "proprio")
    entry = Randomisation(
        field=["qpos", "qvel"], low=np.array(-9.0), high=1, each=np.True_, mode="set", columns=range(2)
    )
    assert (entry.field, entry.columns, entry.each, type(entry.low)) == (("qpos", "qvel"), (0, 1), True, float)


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_an_option_that_there_is_not_is_named_with_the_nearest(make: Any) -> None:
    with pytest.raises(UnknownNameError, match="unknown option 'observation'; did you mean 'observations'"):
        make("robossl/ArmReach-v0", observation=("proprio",))


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_the_known_options_are_those_that_can_be_given(make: Any) -> None:
    with pytest.raises(UnknownNameError, match="unknown option 'foo'; known: delay_s") as caught:
        make("robossl/ArmReach-v0", foo=1)
    assert "num_worlds" not in str(caught.value)


@pytest.mark.parametrize("num_envs", [0, -1, 1.5])
def test_no_worlds_are_refused_as_gymnasium_calls_them(num_envs: Any) -> None:
    with pytest.raises(UserError, match=f"num_envs must be a whole number from 1 on, got {num_envs}"):
        gymnasium.make_vec("robossl/ArmReach-v0", num_envs=num_envs)


@pytest.mark.parametrize(
    ("num", "keys", "message"),
    [
        (2, "rgb_static", r"keys are several, such as \('rgb_static',\), got 'rgb_static'"),
        (1.5, ("rgb_static",), "the number of appearances must be a whole one, got 1.5"),
    ],
)
def test_appearances_that_are_asked_for_otherwise_are_refused(num: Any, keys: Any, message: str) -> None:
    env = make_env(EnvConfig(id="robossl/ArmReach-v0", num_worlds=1, num_threads=1), WorldSeed())
    env.reset()
    with pytest.raises(UserError, match=message):
        env.render_appearances(num, keys)


@pytest.mark.parametrize("num", [0, -1])
def test_no_appearances_are_refused(num: int) -> None:
    env = make_env(EnvConfig(id="robossl/ArmReach-v0", num_worlds=1, num_threads=1), WorldSeed())
    env.reset()
    with pytest.raises(UserError, match=f"appearances are drawn at least 1 at a time, got {num}"):
        env.render_appearances(num, ("rgb_static",))
