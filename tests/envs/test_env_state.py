"""States of environments: put back in another engine; refused as a whole where they do not fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robossl.core import Stream, Tree, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.env_state import physics_for
from robossl.envs.motion import MotionConfig
from robossl.envs.mujoco_fields import columns_of
from robossl.envs.mujoco_model import load_model
from robossl.envs.sensor_model import SensorModel
from robossl.envs.task_env import TaskEnv


def make(env_id: str = "robossl/RingCorridor-v0", *, stream: Stream = Stream.TRAIN, **options: Any) -> TaskEnv:
    config = EnvConfig(id=env_id, num_threads=1, **{"num_worlds": 2, "observations": ("proprio",), **options})
    env: Any = make_env(config, WorldSeed(seed=3, stream=stream))
    env.reset()
    return env  # type: ignore[no-any-return]


def copied(tree: Tree) -> Tree:
    return {key: copied(value) if isinstance(value, dict) else np.array(value) for key, value in tree.items()}


def assert_refused(env: Any, state: Tree, match: str) -> None:
    """Checks that a state is refused, and that nothing of it has been put back."""
    before = copied(env.get_state())
    with pytest.raises(UserError, match=match):
        env.set_state(state)
    np.testing.assert_equal(copied(env.get_state()), before)


@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_a_state_of_mujoco_goes_on_in_bullet(delay_s: float) -> None:
    pytest.importorskip("pybullet")
    mujoco, bullet = (make("robossl/ArmPush-v0", engine=engine, delay_s=delay_s) for engine in ("mujoco", "bullet"))
    for sign in (1, -1, 1):
        state = mujoco.get_state()
        action = np.full((2, 3), 0.5 * sign)
        bullet.set_state(state)
        seen = bullet.step(action).obs["proprio"]
        np.testing.assert_allclose(seen, mujoco.step(action).obs["proprio"], atol=1e-3)
    mujoco.close()
    bullet.close()


def test_a_state_from_before_each_elements_number_was_kept_goes_on() -> None:
    env = make(randomise={"colour": (-0.1, 0.1), "light": (0.5, 1.5)})
    state = env.get_state()
    values = state["randomiser"]["values"]
    assert values["colour"].ndim == 3
    values["colour"] = values["colour"].mean(axis=(1, 2))
    env.set_state(state)
    np.testing.assert_allclose(env.randomised()["randomise/colour"][:, 4, 1], values["colour"], rtol=1e-6)
    values["colour"] = np.zeros((2, 5))
    assert_refused(env, state, r"env\.randomise: randomiser\.values\.colour is \[2, 5\], here")


def test_only_in_another_engine_the_solver_begins_anew() -> None:
    model = load_model('<mujoco><worldbody><body><joint/><geom size="1"/></body></worldbody></mujoco>')
    state: Tree = {"physics": np.ones((2, 50))}
    columns = columns_of(model, ("qacc_warmstart",))
    assert physics_for("bullet", state, model).all()  # an older checkpoint does not tell its engine
    assert physics_for("bullet", {**state, "engine": "bullet"}, model).all()
    found = physics_for("bullet", {**state, "engine": "warp"}, model)
    np.testing.assert_array_equal(np.flatnonzero(found[1] == 0), columns)
    assert state["physics"].all()


@pytest.mark.parametrize("env_id", ["robossl/RingCorridor-v0", "Pendulum-v1"])
def test_a_state_of_another_stream_is_refused(env_id: str) -> None:
    observations = None if env_id == "Pendulum-v1" else ("proprio",)
    train, test = (make(env_id, stream=stream, observations=observations) for stream in (Stream.TRAIN, Stream.EVAL))
    state = train.get_state()
    with pytest.raises(UserError, match="of the worlds of TRAIN, the environment has those of EVAL"):
        test.set_state(state)
    train.close()
    test.close()


def test_a_state_of_before_that_tells_less_of_itself_is_put_back() -> None:
    env = make()
    state = env.get_state()
    expected = env.step(np.ones((2, 1))).obs["proprio"]
    for name in ("delay_s", "engine", "horizon_periods", "stream"):
        del state[name]
    env.set_state(state)
    np.testing.assert_array_equal(env.step(np.ones((2, 1))).obs["proprio"], expected)
    env.close()


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "delay": ({"delay_s": 0.1}, {}, r"with env\.delay-s 0\.1, this one has 0$"),
    "similar delay": ({"delay_s": 0.1}, {"delay_s": 0.15}, r"with env\.delay-s 0\.1, this one has 0\.15$"),
    "sensor": ({}, {"observations": ("odometry",)}, r"env\.observations .*: it has no sensors\.odometry"),
    "range": ({}, {"randomise": {"light": (0.5, 1.5)}}, r"env\.randomise: it has no randomiser\.values\.light"),
    "flow": ({}, {"observations": ("flow_front",), "image_size": (16, 12)}, r"env\.observations: it has no last\.flow"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_state_of_an_environment_set_otherwise_changes_nothing(what: str) -> None:
    theirs, ours, match = OTHERS[what]
    other, env = make(**theirs), make(**ours)
    other.step(np.ones((2, 1)))
    assert_refused(env, other.get_state(), match)
    other.close()
    env.close()


def test_another_model_changes_nothing() -> None:
    env = make()
    state = env.get_state()
    values = {"geom_size": np.ones((2, 3, 3))}
    assert_refused(env, {**state, "model_values": values}, "same level: geom_size is not the model's")
    env.close()


def test_a_delay_of_as_many_physics_steps_is_the_same() -> None:
    other, env = make(delay_s=0.1), make(delay_s=0.1001)
    env.set_state(other.get_state())
    other.close()
    env.close()


def test_joints_on_their_way_in_another_time_change_nothing() -> None:
    other, env = (make("robossl/ArmReach-v0", motion=MotionConfig(horizon_periods=periods)) for periods in (1.5, 1.25))
    assert_refused(env, other.get_state(), r"with env\.motion\.horizon-periods 1\.5, this one has 1\.25$")
    other.close()
    env.close()


def test_model_values_that_bullet_cannot_vary_change_nothing() -> None:
    pytest.importorskip("pybullet")
    env = make("robossl/ArmPush-v0", engine="bullet")
    state, model = env.get_state(), env.engine.model
    values = {
        "geom_friction": np.tile(2 * model.geom_friction, (2, 1, 1)),
        "geom_pos": np.tile(model.geom_pos, (2, 1, 1)),
    }
    assert_refused(env, {**state, "model_values": values}, "engine bullet cannot vary geom_pos between worlds")
    env.close()


@pytest.mark.parametrize("field", ["geom_size", "dof_damping"])
def test_model_values_that_make_no_sense_change_nothing(field: str) -> None:
    env = make("robossl/ArmPush-v0")
    state, own = env.get_state(), getattr(env.engine.model, field)
    values = {"geom_friction": np.tile(2 * env.engine.model.geom_friction, (2, 1, 1))}
    values[field] = np.tile(own * 2 if field == "geom_size" else own * np.nan, (2, *[1] * own.ndim))
    match = "its body moves, and its inertia" if field == "geom_size" else "dof_damping .* not finite"
    assert_refused(env, {**state, "model_values": values}, match)
    env.close()


def test_what_only_the_state_has_is_passed_over() -> None:
    other, env = make(observations=("odometry", "proprio")), make()
    other.step(np.ones((2, 1)))
    env.set_state(other.get_state())
    np.testing.assert_array_equal(env.world_state(), other.world_state())
    other.close()
    env.close()


def test_other_sensor_models_change_nothing() -> None:
    late, later = (make(sensors={"proprio": SensorModel(delay_s=delay)}) for delay in (0.1, 0.5))
    plain = make()
    for env in (late, later, plain):
        env.step(np.ones((2, 1)))
    assert_refused(later, late.get_state(), r"sensors\.proprio\.ring is \[2, \d, \d+\], here")
    assert_refused(later, plain.get_state(), r"env\.sensors: it has no env")
    assert_refused(plain, late.get_state(), r"env\.sensors")
    for env in (late, later, plain):
        env.close()


BROKEN: dict[str, tuple[Callable[[Tree], Tree], str]] = {
    "elapsed of others": (lambda state: {"elapsed": np.zeros(9, int)}, r"elapsed must be \[2\], got \[9\]"),
    "half an episode": (lambda state: {"episode": [0.5, 1]}, r"episode must be a whole number .* got \[0\.5, 1\.0\]"),
    "no such episode": (lambda state: {"episode": [0, 2**32]}, "episode must be a whole number from 0 to 4294967295"),
    "seed": (lambda state: {"seed": -1}, "a seed goes from 0"),
    "first world": (lambda state: {"first_world": "x"}, "first_world must be a whole number .* got 'x'"),
    "words": (lambda state: {"physics": np.full_like(state["physics"], "1", dtype=str)}, "physics holds no numbers"),
    "model values of others": (lambda state: {"model_values": {"opt.gravity": np.ones((9, 3))}}, "is not the model's"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_state_changes_nothing(what: str) -> None:
    changes, match = BROKEN[what]
    env = make()
    state = env.get_state()
    env.step(np.ones((2, 1)))
    assert_refused(env, {**state, **changes(state)}, match)
    env.close()


@pytest.mark.parametrize("name", ["seed", "decisions"])
@pytest.mark.parametrize("value", [None, np.zeros(7, int), np.array([-1, 0])], ids=["missing", "long", "negative"])
def test_a_broken_state_of_sensor_models_changes_nothing(name: str, value: Any) -> None:
    env = make(sensors={"proprio": SensorModel(noise_std=0.1)})
    state = {key: part for key, part in env.get_state().items() if key != name}
    env.step(np.ones((2, 1)))
    assert_refused(env, state if value is None else {**state, name: value}, name)
    env.close()


@pytest.mark.parametrize("engine", ["mujoco", "bullet", "warp"])
def test_a_state_of_before_the_first_reset_brings_the_model_back(engine: str) -> None:
    if engine != "mujoco":
        pytest.importorskip("pybullet" if engine == "bullet" else "mujoco_warp")
    config = EnvConfig(
        id="robossl/ArmPush-v0",
        engine=engine,  # type: ignore[arg-type]
        num_worlds=2,
        num_threads=1,
        observations=("proprio",),
        randomise={"mass": (0.05, 0.2)},
    )
    env: Any = make_env(config, WorldSeed())
    state = env.get_state()
    obs = env.reset()
    model, fields = env.engine.model, set(env.model_values())
    assert fields
    env.set_state(state)
    for field in (*fields, "body_inertia"):
        own, shared = env.engine.own_values(field), getattr(model, field)
        np.testing.assert_array_equal(shared[None].repeat(2, 0) if own is None else own, shared[None].repeat(2, 0))
    with pytest.raises(RuntimeError, match="must be reset before it is stepped"):
        env.step(np.zeros((2, 3)))
    np.testing.assert_array_equal(env.reset()["proprio"], obs["proprio"])
    env.close()
