from types import SimpleNamespace

import array_api_compat.torch
import numpy as np
import pytest
import torch

from robossl.core import Draws, Stream, UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.start import Beginning, Starts
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.ring_corridor import (
    DRIVE,
    NOMINAL_STEP_M,
    NUM_SUBSTEPS,
    SIGHT_M,
    RingCorridor,
    RingCorridorConfig,
)
from robossl.envs.tasks.ring_geometry import CAR_RADIUS_M, LENGTH_M, arc_coordinate
from robossl.envs.tasks.ring_planner import roll_out


def make_env(num_worlds, *, seed=123, stream=Stream.EVAL, keys=("proprio",), config=None, num_threads=1):
    env_config = EnvConfig(num_worlds=num_worlds, observations=keys, num_threads=num_threads)
    return TaskEnv(RingCorridor(config), env_config, WorldSeed(seed=seed, stream=stream))


def make_scene(num_worlds, config=None, seed=5):
    """A reset engine with its task and memory, without the environment around them."""
    task = RingCorridor(config)
    engine, ids = MujocoEngine(task.build_model(), num_worlds, 1), np.arange(num_worlds)
    memory = task.new_memory(num_worlds)
    Beginning(engine, memory)(Starts(task, engine.model, memory).draw(Draws(seed, Stream.TRAIN, ids, 0 * ids)), ids)
    engine.forward()
    return task, engine, memory


def decide(task, engine, memory, steering):
    action = np.full((engine.num_worlds, 1), steering, np.float32)
    recorded = engine.step(task.control(engine, action, memory), task.spec.num_substeps, task.spec.record)
    return task.outcome(engine, action, recorded, memory), recorded


def put_car(engine, memory, pose, direction):
    """Puts the car of every world at one pose, at full speed, and all obstacles out of the way."""
    ids, (x, y, yaw) = np.arange(engine.num_worlds), pose
    engine.write("qpos", np.tile(np.array(pose), (len(ids), 1)), ids)
    velocity = DRIVE.speed_m_s * np.array([np.cos(yaw), np.sin(yaw), 0.0])
    engine.write("qvel", np.tile(velocity, (len(ids), 1)), ids)
    engine.write("mocap_pos", np.full((len(ids), 12, 3), 50.0), ids)
    engine.forward()
    memory["direction"][:], memory["arc_m"][:] = direction, arc_coordinate(np, np.float64(x), np.float64(y))


def test_the_planner_rolls_out_as_the_physics_moves():
    task, engine, memory = make_scene(1)
    put_car(engine, memory, (6.5, -5.0, np.pi / 2), 1.0)
    steering = np.array([[0.3, -0.6, 1.0]])
    along, across = roll_out(DRIVE, steering)
    for value in steering[0]:
        decide(task, engine, memory, value)
    x, y, _ = engine.read("qpos")[0]
    assert x == pytest.approx(6.5 - across[0, -1], abs=0.02)
    assert y == pytest.approx(-5.0 + along[0, -1], abs=0.02)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_progress_is_signed_by_the_direction_of_travel(direction):
    task, engine, memory = make_scene(2)
    put_car(engine, memory, (6.5, -0.25, np.pi / 2), direction)
    outcome, _ = decide(task, engine, memory, 0.0)
    np.testing.assert_allclose(outcome.terms["progress"], direction, atol=1e-4)
    np.testing.assert_allclose(outcome.metrics["distance"], direction * NOMINAL_STEP_M, atol=1e-4)
    assert not outcome.terminated.any()


def test_progress_goes_on_across_the_start_of_the_arc_coordinate():
    task, engine, memory = make_scene(1)
    put_car(engine, memory, (6.3, -6.7, np.pi / 4), 1.0)
    assert memory["arc_m"][0] > 51
    decide(task, engine, memory, 0.0)
    assert 0 < memory["distance_m"][0] < 1


def test_terms_stay_in_range_when_a_corner_is_cut():
    task, engine, memory = make_scene(1)
    put_car(engine, memory, (5.5, 4.9, 3 * np.pi / 4), 1.0)
    outcome, _ = decide(task, engine, memory, 0.0)
    assert outcome.terms["progress"].tolist() == [1.0]
    assert outcome.metrics["distance"][0] > NOMINAL_STEP_M


def test_circling_on_the_spot_earns_nothing():
    task, engine, memory = make_scene(1)
    put_car(engine, memory, (7.4, 0.0, np.pi / 2), 1.0)
    outcomes = [decide(task, engine, memory, 1.0)[0] for _ in range(63)]  # five turns
    assert not any(outcome.terminated.any() for outcome in outcomes)
    assert abs(np.mean([outcome.terms["progress"][0] for outcome in outcomes])) < 0.06
    assert abs(outcomes[-1].metrics["distance"][0]) < 1.5


def test_a_touch_in_one_substep_ends_the_episode():
    task, engine, memory = make_scene(1)
    put_car(engine, memory, (6.5, -2.0, np.pi / 2), 1.0)
    position = np.full((1, 12, 3), 50.0)
    radius = engine.model.geom("obstacle_01").size[0]
    position[0, 1] = [6.5 + CAR_RADIUS_M + radius - 0.003, -1.8, 0.3]  # abreast after two substeps, 3 mm too near
    engine.write("mocap_pos", position, np.arange(1))
    outcome, recorded = decide(task, engine, memory, 0.0)
    assert (recorded["sensordata"][0, :, 0] > 0).tolist() == [False, False, True, False, False]
    assert engine.read("sensordata")[:, 0].tolist() == [0.0]
    assert outcome.terminated.tolist() == [True]
    assert outcome.terms["collision"].tolist() == [1.0]
    assert outcome.metrics["collision"].tolist() == [1.0]


@pytest.mark.parametrize("seed", range(3))
def test_a_touch_is_found_wherever_the_engine_finds_one(seed):
    """The task asks the engine only about cars that are near something; here the engine is asked about all."""
    task, engine, memory = make_scene(64, seed=seed)
    num_touches = 0
    for action in np.random.default_rng(seed).uniform(-1, 1, (12, 64, 1)).astype(np.float32):
        recorded = engine.step(task.control(engine, action, memory), NUM_SUBSTEPS, task.spec.record)
        outcome = task.outcome(engine, action, recorded, memory)
        everywhere = np.hstack([recorded["sensordata"][:, 1:, 0], engine.read("sensordata")[:, :1]])
        np.testing.assert_array_equal(outcome.terminated, (everywhere > 0).any(axis=1))
        num_touches += (everywhere[:, -1] > 0).sum()
    assert num_touches > 50


def test_the_arc_coordinate_at_the_ring_s_centre_is_a_number():
    assert 0 <= arc_coordinate(np, np.zeros(1), np.zeros(1))[0] < LENGTH_M


def test_the_episode_succeeds_only_at_its_end():
    env = make_env(3, config=RingCorridorConfig(max_decisions=4))
    expert, obs = env.expert(), env.reset()
    for decision in range(1, 5):
        batch = env.step(expert.act(obs, env.privileged()))
        assert batch.info["success"].tolist() == [decision == 4] * 3
        assert batch.truncated.tolist() == [decision == 4] * 3
        assert not batch.terminated.any()


def test_a_touch_in_the_last_decision_is_no_success():
    task, engine, memory = make_scene(2)
    memory["decisions"][:] = 199
    recorded = {"sensordata": np.zeros((2, 5, 1), np.float32)}
    recorded["sensordata"][1, 3] = 1
    outcome = task.outcome(engine, np.zeros((2, 1), np.float32), recorded, memory)
    assert outcome.success.tolist() == [True, False]
    assert outcome.terminated.tolist() == [False, True]


def test_worlds_do_not_depend_on_how_many_there_are():
    few, many = make_env(3), make_env(7, num_threads=2)
    few_obs, many_obs = few.reset(), many.reset()
    expert = few.expert()
    for step in range(25):
        np.testing.assert_array_equal(few_obs["proprio"], many_obs["proprio"][:3])
        few_truth, many_truth = few.privileged(), many.privileged()
        for key, value in few_truth.items():
            np.testing.assert_array_equal(value, many_truth[key][:3])
        few_action, many_action = expert.act(few_obs, few_truth), expert.act(many_obs, many_truth)
        np.testing.assert_array_equal(few_action, many_action[:3])
        noise = 0.3 * np.float32((-1) ** step)
        few_batch, many_batch = few.step(few_action + noise), many.step(many_action + noise)
        np.testing.assert_array_equal(few_batch.reward, many_batch.reward[:3])
        few_obs, many_obs = few_batch.obs, many_batch.obs
    np.testing.assert_array_equal(few.world_state(), many.world_state()[:3])


def test_the_nearest_obstacle_is_the_nearest_in_front():
    task, engine, memory = make_scene(1)
    put_car(engine, memory, (6.5, 0.0, np.pi / 2), 1.0)
    assert task.privileged(engine, memory)["nearest_obstacle"].tolist() == [[SIGHT_M, 0.0]]
    position = np.full((1, 12, 3), 50.0)
    position[0, 1], position[0, 3], position[0, 5] = [6.5, -1.0, 0.3], [5.5, 2.0, 0.5], [6.5, 4.0, 0.5]
    engine.write("mocap_pos", position, np.arange(1))
    engine.forward()
    gap = np.hypot(1.0, 2.0) - engine.model.geom("obstacle_03").size[0] - CAR_RADIUS_M
    expected = [[gap, 1 / np.hypot(1.0, 2.0)]]
    np.testing.assert_allclose(task.privileged(engine, memory)["nearest_obstacle"], expected, atol=1e-5)


def test_the_expert_drives_every_world_to_the_end():
    env = make_env(8)
    expert, obs = env.expert(), env.reset()
    for _ in range(200):
        batch = env.step(expert.act(obs, env.privileged()))
        assert not batch.terminated.any()
        obs = batch.obs
    assert batch.info["success"].all()
    assert batch.info["metric/distance"].min() > 100


def test_a_random_driver_collides_at_once():
    env, generator, distances = make_env(16), np.random.default_rng(0), []
    env.reset()
    for _ in range(60):
        batch = env.step(generator.uniform(-1, 1, (16, 1)))
        distances.extend(batch.info["metric/distance"][batch.terminated])
    assert len(distances) > 60
    assert 1.0 < np.mean(distances) < 6.0


def test_a_config_out_of_range_is_refused():
    with pytest.raises(UserError, match=r"0\.\.12, got 13"):
        RingCorridorConfig(min_obstacles=13)
    with pytest.raises(UserError, match="at least 1, got 0"):
        RingCorridorConfig(max_decisions=0)


def test_the_per_step_functions_run_on_torch():
    task, engine, memory = make_scene(6)
    tensors = {name: torch.from_numpy(value.copy()) for name, value in memory.items()}

    def read(name, ids=None):
        return torch.from_numpy(engine.read(name, None if ids is None else ids.numpy()))

    on_torch = SimpleNamespace(xp=array_api_compat.torch, device="cpu", model=engine.model)
    on_torch.own_values = engine.own_values
    on_torch.read, on_torch.view, on_torch.contact_slack_m = read, read, engine.contact_slack_m
    action = np.linspace(-1, 1, 6, dtype=np.float32)[:, None]
    ctrl = task.control(engine, action, memory)
    np.testing.assert_array_equal(task.control(on_torch, torch.from_numpy(action), tensors).numpy(), ctrl)
    recorded = engine.step(ctrl, task.spec.num_substeps, task.spec.record)
    expected = task.outcome(engine, action, recorded, memory)
    actual = task.outcome(on_torch, action, {k: torch.from_numpy(v) for k, v in recorded.items()}, tensors)
    pairs = [(expected.terms, actual.terms), (expected.metrics, actual.metrics), (memory, tensors)]
    pairs += [
        (getattr(task, name)(engine, memory), getattr(task, name)(on_torch, tensors))
        for name in ("observe", "privileged")
    ]
    for numpy_values, torch_values in pairs:
        assert list(numpy_values) == list(torch_values)
        for key, value in numpy_values.items():
            assert torch_values[key].dtype == torch.float32, key
            assert value.dtype == np.float32, key
            np.testing.assert_allclose(torch_values[key].numpy(), value, atol=1e-5, err_msg=key)
    assert actual.terminated.tolist() == expected.terminated.tolist()
    assert actual.success.tolist() == expected.success.tolist()


def test_in_bullet_no_car_is_stopped_without_a_collision():
    pytest.importorskip("pybullet")
    options = {"num_worlds": 16, "num_threads": 1, "engine": "bullet", "observations": ("proprio",)}
    env, generator = TaskEnv(RingCorridor(), EnvConfig(**options), WorldSeed(seed=0)), np.random.default_rng(0)
    env.reset()
    num_collided = 0
    for _ in range(40):
        step = env.step(generator.uniform(-1, 1, (16, 1)).astype(np.float32))
        speed, has_collided = step.obs["proprio"][:, 0], step.info["metric/collision"] > 0
        speed[step.final_ids] = step.final_obs["proprio"][:, 0]
        assert has_collided[np.abs(speed - DRIVE.speed_m_s) > 0.02].all()
        num_collided += has_collided.sum()
    assert num_collided > 50
    env.close()
