from dataclasses import replace
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
from robossl.envs.tasks.path_progress import soft_spl, spl
from robossl.envs.tasks.rooms_geometry import NUM_FURNITURE, OUTER_M, ROBOT_RADIUS_M, WALL_HALF_M
from robossl.envs.tasks.rooms_point_goal import NOMINAL_STEP_M, RoomsPointGoal

MEDIUM = RoomsPointGoal.levels["medium"]
AT_WALL_M = OUTER_M - WALL_HALF_M - ROBOT_RADIUS_M


def make_env(num_worlds, level="medium", *, seed=5, stream=Stream.EVAL, keys=("goal", "proprio")):
    env_config = EnvConfig(num_worlds=num_worlds, observations=keys, num_threads=1)
    return TaskEnv(RoomsPointGoal(RoomsPointGoal.levels[level]), env_config, WorldSeed(seed=seed, stream=stream))


def make_scene(num_worlds, config=MEDIUM, seed=5):
    """A reset engine with its task and memory, without the environment around them."""
    task = RoomsPointGoal(config)
    engine, ids = MujocoEngine(task.build_model(), num_worlds, 1), np.arange(num_worlds)
    memory = task.new_memory(num_worlds)
    Beginning(engine, memory)(Starts(task, engine.model, memory).draw(Draws(seed, Stream.TRAIN, ids, 0 * ids)), ids)
    engine.forward()
    return task, engine, memory


def decide(task, engine, memory, forward, turn):
    action = np.tile(np.array([[forward, turn]], np.float32), (engine.num_worlds, 1))
    recorded = engine.step(task.control(engine, action, memory), task.spec.num_substeps, task.spec.record)
    return task.outcome(engine, action, recorded, memory), recorded


def put_robot(task, engine, memory, pose):
    """Puts the robot of every world at one pose, at rest, and all furniture and inner walls out of the way."""
    ids = np.arange(engine.num_worlds)
    engine.write("qpos", np.tile(np.array(pose), (len(ids), 1)), ids)
    engine.write("qvel", np.zeros((len(ids), 3)), ids)
    engine.write("mocap_pos", np.full((len(ids), engine.model.nmocap, 3), 50.0), ids)
    engine.forward()
    memory["pieces"][...] = 50.0
    memory["position_w"][...] = pose[:2]
    left = task._scene.grid.read(np, memory["field"], *np.array(pose[:2], np.float32)[:, None].repeat(len(ids), axis=1))
    memory["left_m"][...] = left


def run_expert(env):
    """Returns what was told at the end of each world's first episode, and the path lengths driven."""
    expert, obs, first = env.expert(), env.reset(), {}
    here, driven = env.privileged()["pose"][:, :2], np.zeros(env.num_worlds)
    at_end = np.zeros(env.num_worlds)
    env.before_reset = lambda ids: last.append(env.privileged()["pose"][:, :2])
    while len(first) < env.num_worlds:
        last = []
        batch = env.step(expert.act(obs, env.privileged()))
        there = last[0] if last else env.privileged()["pose"][:, :2]
        driven += np.hypot(*(there - here).T)
        here, obs = env.privileged()["pose"][:, :2], batch.obs
        for world in set(batch.final_ids.tolist()) - set(first):
            first[world] = {name: float(value[world]) for name, value in batch.info.items()}
            at_end[world] = driven[world]
        driven[batch.final_ids] = 0
    return {name: np.array([first[world][name] for world in range(env.num_worlds)]) for name in first[0]}, at_end


@pytest.mark.parametrize("level", ["easy", "medium", pytest.param("hard", marks=pytest.mark.slow)])
def test_the_expert_arrives_by_the_shortest_path(level):
    env = make_env(64, level)
    env.reset()
    shortest = env.privileged()["geodesic"][:, 0]
    told, driven = run_expert(env)
    assert told["success"].mean() >= 0.95
    assert told["metric/collisions"].mean() < 0.5
    assert told["metric/spl"].mean() > 0.95
    np.testing.assert_allclose(told["metric/path_length"], driven, rtol=1e-4)
    expected = spl(np, told["success"] > 0, shortest, driven)
    np.testing.assert_allclose(told["metric/spl"], expected, rtol=1e-4)
    expected = soft_spl(np, told["metric/distance_to_goal"], shortest, driven)
    np.testing.assert_allclose(told["metric/soft_spl"], expected, rtol=1e-3)


def test_a_random_driver_hardly_ever_arrives():
    env, generator = make_env(32, "easy"), np.random.default_rng(0)
    env.reset()
    ended = []
    while len(ended) < 32:
        batch = env.step(generator.uniform(-1, 1, (32, 2)))
        ended += batch.info["success"][batch.final_ids].tolist()
    assert np.mean(ended) < 0.3


def test_progress_adds_up_to_what_is_left_of_the_path():
    env = make_env(16)
    expert, obs = env.expert(), env.reset()
    begun = env.privileged()["geodesic"][:, 0]
    total = np.zeros(16)
    for _ in range(25):
        batch = env.step(expert.act(obs, env.privileged()))
        total += batch.info["reward/progress"]
        obs = batch.obs
    assert not (batch.terminated | batch.truncated).any()
    left = batch.info["metric/distance_to_goal"]
    np.testing.assert_allclose(total * NOMINAL_STEP_M, begun - left, rtol=0.12)  # it is cut off at full speed
    assert (begun - left).mean() > 0.6


def test_the_robot_drives_where_it_looks_and_gathers_speed():
    task, engine, memory = make_scene(1)
    put_robot(task, engine, memory, (0.0, 0.0, np.pi / 4))
    speeds = []
    for _ in range(8):
        decide(task, engine, memory, 1.0, 0.0)
        speeds.append(task.observe(engine, memory)["proprio"][0, 0])
    x, y, yaw = engine.read("qpos")[0]
    assert x == pytest.approx(y, abs=1e-4)
    assert yaw == pytest.approx(np.pi / 4, abs=1e-4)
    np.testing.assert_allclose(speeds[:2], [0.125, 0.22], atol=0.01)
    assert speeds[-1] == pytest.approx(0.22, abs=1e-3)
    for _ in range(8):
        decide(task, engine, memory, -1.0, 1.0)
    forward, turn = task.observe(engine, memory)["proprio"][0]
    assert forward == pytest.approx(-0.11, abs=1e-2)
    assert turn == pytest.approx(1.5, abs=1e-2)
    vx, vy = engine.read("qvel")[0, :2]
    yaw = engine.read("qpos")[0, 2]
    assert abs(np.cos(yaw) * vy - np.sin(yaw) * vx) < 0.01


def test_commands_are_what_control_makes_of_lasting_actions():
    task, engine, memory = make_scene(1)
    for action in ((1.0, -1.0), (-1.0, 0.4), (-0.3, 0.0)):
        for _ in range(10):
            ctrl = task.control(engine, np.array([action], np.float32), memory)
        for command, value in zip(task.spec.commands, (ctrl[0, 0], ctrl[0, 2]), strict=True):
            wanted = np.clip(command.offset + command.scale * action[command.source], command.low, command.high)
            assert value == pytest.approx(wanted, abs=1e-6)
    assert [command.name for command in task.spec.commands] == ["speed_m_s", "yaw_rate_rad_s"]


def test_the_goal_is_seen_from_the_robot():
    task, engine, memory = make_scene(2)
    memory["goal_w"][...] = [1.0, 2.0]
    put_robot(task, engine, memory, (1.0, 0.5, np.pi / 2))
    np.testing.assert_allclose(task.observe(engine, memory)["goal"], [[1.5, 1.0, 0.0]] * 2, atol=1e-6)
    put_robot(task, engine, memory, (1.0, 0.5, 0.0))
    np.testing.assert_allclose(task.observe(engine, memory)["goal"], [[1.5, 0.0, 1.0]] * 2, atol=1e-6)
    put_robot(task, engine, memory, (1.0, 2.0, 0.0))
    assert np.isfinite(task.observe(engine, memory)["goal"]).all()


def test_success_is_to_come_near_enough():
    task, engine, memory = make_scene(2)
    put_robot(task, engine, memory, (0.0, 0.0, 0.0))
    memory["goal_w"][...] = [[0.199, 0.0], [0.201, 0.0]]
    outcome, _ = decide(task, engine, memory, 0.0, 0.0)
    for told in (outcome.success, outcome.terminated, outcome.terms["success"]):
        assert told.tolist() == [True, False]


@pytest.mark.parametrize("ends", [False, True])
def test_a_touch_in_one_substep_counts(ends):
    task, engine, memory = make_scene(1, replace(MEDIUM, ends_at_collision=ends))
    put_robot(task, engine, memory, (0.0, 0.0, 0.0))
    engine.write("qvel", np.array([[0.22, 0.0, 0.0]]), np.arange(1))
    memory["forward_m_s"][:] = 0.22
    piece = engine.model.body("furniture_01").mocapid[0]
    radius = engine.model.geom("furniture_01").size[0]
    position = engine.read("mocap_pos").astype(np.float64)
    position[0, piece] = [0.025, ROBOT_RADIUS_M + radius - 0.0003, 0.2]  # abreast in the middle of the decision
    engine.write("mocap_pos", position, np.arange(1))
    memory["pieces"][0, :2, 1 - NUM_FURNITURE] = position[0, piece, :2]
    outcome, recorded = decide(task, engine, memory, 1.0, 0.0)
    assert recorded["sensordata"][0, 1:-1, 0].any()
    assert not recorded["sensordata"][0, 0, 0]
    assert engine.read("sensordata")[0, 0] == 0
    assert outcome.terms["collision"].tolist() == [1.0]
    assert outcome.metrics["collisions"].tolist() == [1.0]
    assert outcome.terminated.tolist() == [ends]
    outcome, _ = decide(task, engine, memory, 1.0, 0.0)
    assert outcome.terms["collision"].tolist() == [0.0]
    assert outcome.metrics["collisions"].tolist() == [1.0]


def test_a_wall_stops_the_robot_and_lets_it_go():
    task, engine, memory = make_scene(1)
    put_robot(task, engine, memory, (AT_WALL_M - 0.1, 0.0, 0.3))
    for _ in range(20):
        outcome, _ = decide(task, engine, memory, 1.0, 0.0)
    assert engine.read("qpos")[0, 0] == pytest.approx(AT_WALL_M, abs=0.005)
    assert outcome.terms["collision"].tolist() == [1.0]
    assert engine.read("qpos")[0, 1] < 0.2  # it would have slid a metre if nothing held it
    for _ in range(10):
        outcome, _ = decide(task, engine, memory, -1.0, 0.0)
    assert engine.read("qpos")[0, 0] < AT_WALL_M - 0.1
    assert outcome.terms["collision"].tolist() == [0.0]


def test_edges_of_walls_and_furniture_hold_the_robot():
    env = make_env(64, "hard", seed=3, stream=Stream.TRAIN)
    env.reset()
    rng, least_m = np.random.default_rng(0), 0.0
    for step in range(120):
        if step % 20 == 0:
            action = np.stack([np.ones(64), rng.uniform(-0.3, 0.3, 64)], axis=1).astype(np.float32)
        env.step(action)
        least_m = min(least_m, env.privileged()["gap"].min())
    assert -0.02 < least_m < -0.01  # what full speed makes in one step of physics, a wall's two in a corner
    env.close()


def test_a_touch_is_found_wherever_the_engine_finds_one():
    """The task asks the engine only about robots that are near something; here the engine is asked about all."""
    task, engine, memory = make_scene(64, RoomsPointGoal.levels["hard"])
    pieces = engine.read("mocap_pos").astype(np.float64)
    ids = np.arange(64)
    beside = pieces[ids, -NUM_FURNITURE + ids % NUM_FURNITURE, :2] + [0.36, 0.0]
    engine.write("qpos", np.column_stack([np.clip(beside, -3, 3), np.full(64, np.pi)]), ids)
    engine.forward()
    num_touches = 0
    for action in np.random.default_rng(0).uniform([-0.2, -1], 1, (30, 64, 2)).astype(np.float32):
        recorded = engine.step(task.control(engine, action, memory), task.spec.num_substeps, task.spec.record)
        outcome = task.outcome(engine, action, recorded, memory)
        everywhere = np.hstack([recorded["sensordata"][:, 1:, 0], engine.read("sensordata")[:, :1]])
        np.testing.assert_array_equal(outcome.terms["collision"], (everywhere > 0).any(axis=1))
        num_touches += (everywhere[:, -1] > 0).sum()
    assert num_touches > 100


def test_a_config_out_of_range_is_refused():
    with pytest.raises(UserError, match=r"success_radius_m must be in \(0, 0.35\], got 0.5"):
        replace(MEDIUM, success_radius_m=0.5)
    with pytest.raises(UserError, match="max_episode_steps must be at least 1, got 0"):
        replace(MEDIUM, max_episode_steps=0)
    with pytest.raises(UserError, match="door_m must be in"):
        replace(MEDIUM, door_m=0.3)
    with pytest.raises(UserError, match="closed_chance must be in"):
        replace(MEDIUM, closed_chance=1.5)
    with pytest.raises(UserError, match=r"furniture must be in 0\.\.12, from few to many, got"):
        replace(MEDIUM, furniture=(4, 13))
    with pytest.raises(UserError, match=r"hops must be in 1\.\.8, from few to many, got"):
        replace(MEDIUM, hops=(3, 2))


def test_the_per_step_functions_run_on_torch():
    task, engine, memory = make_scene(6)
    tensors = {name: torch.from_numpy(value.copy()) for name, value in memory.items()}

    def read(name, ids=None):
        return torch.from_numpy(engine.read(name, None if ids is None else ids.numpy()))

    on_torch = SimpleNamespace(xp=array_api_compat.torch, model=engine.model, read=read, own_values=engine.own_values)
    action = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)
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
