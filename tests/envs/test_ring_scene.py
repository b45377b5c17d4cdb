import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.start import Beginning, Starts
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.ring_corridor import DRIVE, RingCorridor, RingCorridorConfig
from robossl.envs.tasks.ring_geometry import CAR_RADIUS_M, CENTRE_M, obstacle_distance, wall_distance
from robossl.envs.tasks.ring_scene import _fill_ranks


def make_env(num_worlds, *, seed=123, stream=Stream.EVAL, keys=("proprio",), config=None, num_threads=1):
    env_config = EnvConfig(num_worlds=num_worlds, observations=keys, num_threads=num_threads)
    return TaskEnv(RingCorridor(config), env_config, WorldSeed(seed=seed, stream=stream))


def make_scene(num_worlds, config=None):
    """A reset engine with its task and memory, without the environment around them."""
    task = RingCorridor(config)
    engine, ids = MujocoEngine(task.build_model(), num_worlds, 1), np.arange(num_worlds)
    memory = task.new_memory(num_worlds)
    Beginning(engine, memory)(Starts(task, engine.model, memory).draw(Draws(5, Stream.TRAIN, ids, 0 * ids)), ids)
    engine.forward()
    return task, engine, memory


def test_ranks_are_those_of_a_stable_sort():
    keys, ranks = np.random.default_rng(0).integers(0, 9, (200, 12)) / 9, np.empty(12, np.int64)
    for row in keys:
        _fill_ranks(row, ranks)
        np.testing.assert_array_equal(np.argsort(ranks), np.argsort(row, kind="stable"))


def test_every_episode_is_laid_out_anew():
    task, engine, memory = make_scene(64)
    ids = np.arange(64)
    first = task.privileged(engine, memory)
    Beginning(engine, memory)(Starts(task, engine.model, memory).draw(Draws(5, Stream.TRAIN, ids, 0 * ids + 1)), ids)
    engine.forward()
    second = task.privileged(engine, memory)
    assert len(np.unique(np.concatenate([first["pose"], second["pose"]]), axis=0)) == 128
    placed = (np.abs(second["obstacles"][..., 0]) < 9).sum(axis=1)
    assert set(placed.tolist()) == {8, 9, 10, 11, 12}
    assert 16 < (second["route"][:, 0] > 0).sum() < 48
    assert not np.isclose(first["obstacles"][..., 0], second["obstacles"][..., 0]).all(axis=1).any()


def test_every_car_starts_clear_and_facing_along_the_ring():
    task, engine, memory = make_scene(256)
    truth = task.privileged(engine, memory)
    x, y = truth["pose"][:, :1], truth["pose"][:, 1:2]
    assert obstacle_distance(np, x, y, truth["obstacles"]).min() > CAR_RADIUS_M + 0.4
    assert wall_distance(np, x, y).min() > CAR_RADIUS_M + 0.7
    np.testing.assert_allclose(np.abs(truth["lane"][:, 2]).max(), np.sin(0.4), atol=0.02)
    assert truth["lane"][:, 1].min() > 0
    np.testing.assert_allclose(memory["arc_m"], truth["route"][:, 1], atol=1e-5)
    np.testing.assert_allclose(task.observe(engine, memory)["proprio"], np.tile([[2.0, 0.0]], (256, 1)), atol=1e-6)


def test_obstacles_stand_inside_the_corridor_and_leave_room():
    task, engine, memory = make_scene(256)
    obstacles = task.privileged(engine, memory)["obstacles"]
    x, y = obstacles[..., 0], obstacles[..., 1]
    reach = np.hypot(obstacles[..., 4], obstacles[..., 5]) + obstacles[..., 6]
    placed = np.abs(x) < 9
    assert (wall_distance(np, x, y) - reach)[placed].min() > 0
    widest = np.abs(np.maximum(np.abs(x), np.abs(y)) - CENTRE_M) + 1.5 - reach
    assert widest[placed].min() > 2 * CAR_RADIUS_M + 0.4


def test_colours_change_only_where_they_are_asked_for():
    env = make_env(4)
    env.reset()
    rgba = env.model_values()["geom_rgba"]
    assert set(env.model_values()) == set(env.task.spec.random_fields) == {"geom_rgba", "light_diffuse"}
    model = env.engine.model
    walls = [model.geom(f"outer_wall_{side}").id for side in ("east", "north", "west", "south")]
    assert (rgba[:, walls] == rgba[:, walls[:1]]).all()
    assert len(np.unique(rgba[:, walls[0]], axis=0)) == 4
    assert (rgba[:, model.geom("car").id] == model.geom("car").rgba).all()
    plain = make_env(4, config=RingCorridorConfig(is_recoloured=False))
    plain.reset()
    assert plain.model_values() == {}


def test_every_element_of_the_model_is_named():
    model = RingCorridor().build_model()
    for kind in ("body", "geom", "joint", "site", "camera", "light", "actuator", "sensor"):
        number = {"body": model.nbody, "geom": model.ngeom, "joint": model.njnt, "site": model.nsite}
        number |= {"camera": model.ncam, "light": model.nlight, "actuator": model.nu, "sensor": model.nsensor}
        names = [getattr(model, kind)(index).name for index in range(number[kind])]
        assert all(names), kind
    assert model.opt.timestep * DRIVE.num_substeps == pytest.approx(0.25)
    assert model.geom("car").size[0] == CAR_RADIUS_M
    assert model.body("car").mass[0] == pytest.approx(10)


def test_the_front_camera_sees_road_walls_and_sky_but_not_its_car():
    env = make_env(12, keys=("rgb_front", "segmentation_front"), stream=Stream.RENDER)
    obs = env.reset()
    geom, model = obs["segmentation_front"][..., 0], env.engine.model
    names = np.array([model.geom(index).name for index in range(model.ngeom)] + ["sky"])[geom]
    assert obs["rgb_front"].shape == (12, 27, 48, 3)
    assert not (names == "car").any()
    assert (names[:, -1] == "floor").mean() > 0.8
    assert (names == "sky").any(axis=(1, 2)).all()
    is_inner, columns = names == "inner_wall", np.broadcast_to(np.arange(48), names.shape)
    seen = np.flatnonzero(is_inner.any(axis=(1, 2)))  # an obstacle or a corner may hide it
    assert len(seen) >= 10
    inner_is_left = np.array([columns[world][is_inner[world]].mean() < 23.5 for world in seen])
    np.testing.assert_array_equal(inner_is_left, env.privileged()["route"][seen, 0] > 0)


def test_the_colours_tell_wall_floor_and_obstacle_apart():
    env = make_env(24, keys=("rgb_front", "segmentation_front"), stream=Stream.RENDER)
    obs = env.reset()
    model = env.engine.model
    kinds = np.array([model.geom(index).name.partition("_")[0] for index in range(model.ngeom)] + ["sky"])
    kind = kinds[obs["segmentation_front"][..., 0]]
    strongest = obs["rgb_front"].argmax(axis=-1)
    for name, channel in (("obstacle", 0), ("inner", 1), ("outer", 2)):
        assert (strongest[kind == name] == channel).all(), name


def test_the_top_camera_shows_the_whole_ring():
    env = make_env(1, keys=("segmentation_top",))
    geom = env.reset()["segmentation_top"][0, ..., 0]
    seen = {env.engine.model.geom(index).name for index in np.unique(geom) if index >= 0}
    assert {"car", "floor", "inner_wall", "outer_wall_east", "outer_wall_north"} <= seen
    assert {"outer_wall_west", "outer_wall_south"} <= seen
    placed = (np.abs(env.privileged()["obstacles"][0, :, 0]) < 9).sum()
    assert sum(name.startswith("obstacle") for name in seen) == placed
