"""The environment around a task small enough to compute by hand: a cart pushed along a rail."""

import copy
import pickle
from dataclasses import replace
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
from engine_toys import num_threads

from robossl.core import ArraySpec, CameraSpec, Draws, Stream, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.task import Outcome, TaskSpec
from robossl.envs.task_env import TaskEnv

RAIL = """
<mujoco model="rail">
  <option timestep="0.1" gravity="0 0 0" integrator="Euler"/>
  <worldbody>
    <camera name="side" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <body name="cart">
      <joint name="rail" type="slide" axis="1 0 0"/>
      <geom name="cart" type="box" size="0.2 0.2 0.2" mass="1" rgba="1 0 0 1"/>
    </body>
  </worldbody>
  <actuator>
    <motor name="push" joint="rail"/>
  </actuator>
</mujoco>
"""


class Rail:
    """Sets off at a random place; the memory counts the steps; terminates beyond 1 m, success beyond 1 m.

    It answers with its memory itself, which the next episode overwrites: the environment has to copy.
    """

    spec = TaskSpec(
        control_hz=5.0,
        num_substeps=2,
        max_episode_steps=4,
        action=ArraySpec(shape=(1,), low=-1.0, high=1.0, names=("force_n",)),
        vectors={"proprio": ArraySpec(shape=(2,)), "count": ArraySpec(shape=(1,))},
        cameras=(CameraSpec(name="side", width=8, height=6),),
        default_observation=("proprio", "count"),
        privileged={"count": ArraySpec(shape=(1,))},
        reward_weights={"right": 2.0, "effort": -0.5},
        metrics=("count",),
        viewer_camera="side",
    )

    def build_model(self) -> Any:
        return mujoco.MjModel.from_xml_string(RAIL)

    def new_memory(self, num_worlds: int) -> dict[str, np.ndarray]:
        return {"count": np.zeros((num_worlds, 1), np.float32)}

    def layout(self, draws: Draws) -> dict[str, np.ndarray]:
        return {"qpos": draws.uniform(0.0, 0.1, (1,))}

    def control(self, engine: Any, action: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        broken = np.flatnonzero(action > 0.9)
        engine.write("qpos", np.full((len(broken), 1), np.nan), broken)
        return 10 * action

    def outcome(self, engine: Any, action: np.ndarray, recorded: Any, memory: dict[str, np.ndarray]) -> Outcome:
        memory["count"] += 1
        right = (engine.read("qpos")[:, 0] > 0.5).astype(np.float32)
        beyond = engine.read("qpos")[:, 0] > 1
        terms = {"right": right, "effort": np.abs(action[:, 0])}
        return Outcome(terms=terms, terminated=beyond, success=beyond, metrics={"count": memory["count"][:, 0]})

    def observe(self, engine: Any, memory: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"proprio": np.hstack([engine.read("qpos"), engine.read("qvel")]), "count": memory["count"]}

    def privileged(self, engine: Any, memory: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"count": memory["count"]}

    def expert(self) -> None:
        return None


def rail(num_worlds: int = 3, **options: Any) -> TaskEnv:
    config = EnvConfig(id="test/Rail-v0", num_worlds=num_worlds, num_threads=1, **options)
    return TaskEnv(Rail(), config, WorldSeed(seed=7, stream=Stream.COLLECT))


def push(*forces: float) -> np.ndarray:
    return np.array(forces, np.float32)[:, None]


def test_an_episode_by_hand() -> None:
    env = rail(1)
    start = Draws(7, Stream.COLLECT, np.array([4]), np.array([0])).uniform(0.0, 0.1)
    obs = env.reset(first_world=4)
    np.testing.assert_allclose(obs["proprio"], [[start[0], 0]], rtol=1e-6)
    batch = env.step(push(0.8))  # semi-implicit Euler, 8 m/s2, two steps of 0.1 s: v = 0.8, 1.6; x = 0.08, 0.24
    np.testing.assert_allclose(batch.obs["proprio"], [[start[0] + 0.24, 1.6]], rtol=1e-5)
    np.testing.assert_allclose(batch.reward, [-0.4], rtol=1e-6)
    assert (batch.terminated.tolist(), batch.truncated.tolist()) == ([False], [False])
    batch = env.step(push(0.8))  # x = 0.24 + 0.24 + 0.32 = 0.8
    np.testing.assert_allclose(batch.reward, [2 - 0.4], rtol=1e-6)
    batch = env.step(push(0.8))
    np.testing.assert_allclose(batch.final_obs["proprio"], [[start[0] + 1.68, 4.8]], rtol=1e-5)
    assert (batch.terminated.tolist(), batch.truncated.tolist()) == ([True], [False])
    assert batch.info["is_success"].tolist() == [True]
    assert env.episode_keys()["episode"].tolist() == [1]


def test_what_an_ended_episode_leaves_is_not_overwritten_by_the_next() -> None:
    env = rail()
    env.reset()
    for _ in range(4):
        batch = env.step(push(0, 0, 0))
    assert batch.truncated.all()
    assert not batch.terminated.any()
    assert batch.info["metric/count"].tolist() == [4, 4, 4]
    assert batch.final_obs["count"].tolist() == [[4], [4], [4]]
    assert batch.obs["count"].tolist() == [[0], [0], [0]]
    count = batch.obs["count"]
    env.step(push(0, 0, 0))
    assert count.tolist() == [[0], [0], [0]]


def test_a_diverged_world_is_truncated_without_a_gain_and_the_others_go_on() -> None:
    env, other = rail(observations=("proprio", "rgb_side")), rail(observations=("proprio", "rgb_side"))
    env.reset()
    other.reset()
    env.step(push(0.2, 0.2, 0.2))
    other.step(push(0.2, 0.2, 0.2))
    last, truth, ended = env.step(push(0.2, 0.2, 0.2)).obs, env.world_state(), []
    other.step(push(0.2, 0.2, 0.2))
    env.before_reset = lambda ids: ended.append((ids, env.world_state()[ids]))
    batch, expected = env.step(push(0.2, 1.0, 0.2)), other.step(push(0.2, 0.2, 0.2))
    ((ids, state),) = ended
    assert ids.tolist() == [1]
    np.testing.assert_array_equal(state, truth[[1]])
    for key, value in batch.final_obs.items():
        np.testing.assert_array_equal(value, last[key][[1]])
    assert batch.truncated.tolist() == [False, True, False]
    assert batch.info["diverged"].tolist() == [False, True, False]
    assert not batch.terminated.any()
    assert batch.reward[1] == -0.5  # what the action cost
    assert batch.info["metric/count"].tolist() == [3, 0, 3]
    for key, value in batch.obs.items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(value[[0, 2]], expected.obs[key][[0, 2]])
    fresh = rail(1).reset(first_world=1, first_episode=1)
    np.testing.assert_array_equal(batch.obs["proprio"][1], fresh["proprio"][0])


def test_the_last_observation_is_finite_also_where_the_step_began_in_a_state_that_was_not() -> None:
    env, other = rail(observations=("proprio", "rgb_side")), rail(observations=("proprio", "rgb_side"))
    env.reset()
    other.reset()
    env.engine.write("qvel", np.full((1, 1), np.nan), np.array([1]))
    batch, expected = env.step(push(0.2, 0.2, 0.2)), other.step(push(0.2, 0.2, 0.2))
    assert batch.info["diverged"].tolist() == batch.truncated.tolist() == [False, True, False]
    for key, value in batch.obs.items():
        assert np.isfinite(batch.final_obs[key]).all()
        np.testing.assert_array_equal(value[[0, 2]], expected.obs[key][[0, 2]])


def test_what_broke_a_world_is_not_in_the_readings_that_it_ends_with() -> None:
    config = EnvConfig(id="robossl/ArmReach-v0", num_worlds=2, num_threads=1, observations=("force_torque",))
    env = make_env(config, WorldSeed())
    assert isinstance(env, TaskEnv)
    env.reset()
    control = env.task.control
    env.step(np.zeros((2, 3)))
    model, data = env.engine.model, mujoco.MjData(env.engine.model)
    mujoco.mj_setState(model, data, env.world_state()[1], mujoco.mjtState.mjSTATE_INTEGRATION.value)
    mujoco.mj_forward(model, data)
    data.qacc[:] = 0.0  # of what broke it nothing is known
    mujoco.mj_rnePostConstraint(model, data)
    mujoco.mj_sensorAcc(model, data)
    expected = np.concatenate([data.sensor("wrist_force").data, data.sensor("wrist_torque").data])

    def breaking(engine: Any, action: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        engine.write("qvel", np.full((1, engine.model.nv), 1e7), np.array([1]))
        return np.asarray(control(engine, action, memory))

    env.task.control = breaking  # type: ignore[method-assign]
    batch = env.step(np.zeros((2, 3)))
    assert batch.info["diverged"].tolist() == [False, True]
    window = batch.final_obs["force_torque"][0]
    np.testing.assert_allclose(window, np.tile(expected, (len(window), 1)), atol=0.02)


def test_time_is_split_into_physics_and_pictures() -> None:
    env = rail(observations=("proprio", "rgb_side"))
    env.reset()
    assert env.perf["render"] > 0
    before = dict(env.perf)
    env.step(push(0, 0, 0))
    assert env.perf["render"] > before["render"]
    assert env.perf["simulate"] > before["simulate"]
    assert rail().perf == {"simulate": 0.0, "render": 0.0}


def test_the_spec_tells_what_was_chosen() -> None:
    env = rail(observations=("rgb_side", "depth_side", "count"), image_size=(10, 4))
    shapes = {key: (spec.shape, spec.dtype) for key, spec in env.spec.observation.items()}
    assert shapes == {
        "rgb_side": ((4, 10, 3), "uint8"),
        "depth_side": ((4, 10, 1), "float32"),
        "count": ((1,), "float32"),
    }
    assert env.spec.render is not None
    assert env.spec.render.cameras == (CameraSpec(name="side", width=10, height=4),)
    assert rail().spec.render is None
    with pytest.raises(UserError, match="at least one observation"):
        rail(observations=())


def test_closing_twice_is_allowed() -> None:
    env = rail(observations=("rgb_side",))
    env.close()
    env.close()


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
def test_a_closed_environment_that_is_still_held_has_no_threads(engine: str) -> None:
    if engine == "bullet":
        pytest.importorskip("pybullet")
    before = num_threads()
    options: dict[str, Any] = {"observations": ("proprio", "lidar", "rgb_front", "flow_front"), "delay_s": 0.05}
    config = EnvConfig(engine=engine, num_worlds=4, num_threads=4, image_size=(8, 6), **options)  # type: ignore[arg-type]
    env = make_env(config, WorldSeed())
    env.reset()
    env.step(np.zeros((4, 1)))
    env.render_frames(width=8, height=6)
    assert num_threads() > before
    env.close()
    assert num_threads() == before


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
@pytest.mark.parametrize("sensors", [{}, {"proprio": {"delay_s": 0.1}}], ids=["perfect", "imperfect"])
def test_who_copies_an_environment_is_told_of_its_state(make: Any, duplicate: Any, sensors: Any) -> None:
    env = make("robossl/ArmReach-v0", sensors=sensors)
    for one in (env.unwrapped.batch_env, *([env] if duplicate is not copy.copy else [])):
        with pytest.raises(TypeError, match=r"^robossl/ArmReach-v0 cannot be copied or pickled: .*set_state\(\)"):
            duplicate(one)


def test_a_closed_environment_says_so() -> None:
    env = rail()
    env.reset()
    state = env.get_state()
    env.close()
    for call in (
        lambda: env.step(push(0, 0, 0)),
        env.reset,
        lambda: env.render_frames(width=4, height=3),
        lambda: env.set_state(state),
        lambda: env.render_appearances(1, ("rgb_side",)),
        env.get_state,
        env.world_state,
        env.model_values,
        env.privileged,
    ):
        with pytest.raises(RuntimeError, match="the environment is closed"):
            call()


MOTION_SENSOR = RAIL.replace("</mujoco>", '<sensor><jointvel name="speed" joint="rail"/></sensor></mujoco>')


@pytest.mark.parametrize("record", [(), ("sensordata",)])
@pytest.mark.parametrize("own", [None, ("speed",)])
def test_a_task_reads_sensors_of_the_model_whatever_is_observed(record: tuple[str, ...], own: Any) -> None:
    class Fast(Rail):
        def build_model(self) -> Any:
            return mujoco.MjModel.from_xml_string(MOTION_SENSOR)

        def outcome(self, engine: Any, action: Any, recorded: Any, memory: Any) -> Outcome:
            seen = recorded["sensordata"][:, -1] if record else engine.read("sensordata")
            return super().outcome(engine, action, recorded, memory)._replace(metrics={"count": seen[:, 0]})

    task = Fast()
    task.spec = replace(Rail.spec, record=record, mjcf_sensors=own)
    env = TaskEnv(task, EnvConfig(id="test/Fast-v0", num_worlds=1, num_threads=1), WorldSeed())
    env.reset()
    np.testing.assert_allclose(env.step(push(0.8)).info["metric/count"], [0.8 if record else 1.6], rtol=1e-5)


def test_a_task_that_names_no_sensors_of_the_model_has_them_off() -> None:
    class Fast(Rail):
        def build_model(self) -> Any:
            return mujoco.MjModel.from_xml_string(MOTION_SENSOR)

    task = Fast()
    task.spec = replace(Rail.spec, mjcf_sensors=())
    config = EnvConfig(id="test/Fast-v0", num_worlds=1, num_threads=1)
    assert (TaskEnv(task, config, WorldSeed()).engine.model.sensor_type == mujoco.mjtSensor.mjSENS_USER.value).all()
    task.spec = replace(Rail.spec, mjcf_sensors=("sped",))
    with pytest.raises(UserError, match="unknown sensor of the model 'sped'; did you mean 'speed'"):
        TaskEnv(task, config, WorldSeed())


def test_a_task_may_keep_its_model_for_several_environments() -> None:
    class Kept(Rail):
        model = mujoco.MjModel.from_xml_string(MOTION_SENSOR)
        spec = replace(Rail.spec, mjcf_sensors=())

        def build_model(self) -> Any:
            return self.model

    TaskEnv(Kept(), EnvConfig(id="test/Kept-v0", num_worlds=1, num_threads=1), WorldSeed())
    assert Kept.model.sensor_type.tolist() == [mujoco.mjtSensor.mjSENS_JOINTVEL.value]
