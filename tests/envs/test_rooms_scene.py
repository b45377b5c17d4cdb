import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.tasks.house_plan import NUM_WALLS
from robossl.envs.tasks.ring_geometry import obstacle_distance
from robossl.envs.tasks.rooms_clearance import CLEAR_M
from robossl.envs.tasks.rooms_geometry import (
    INNER_M,
    NUM_FURNITURE,
    OUTER_M,
    ROBOT_RADIUS_M,
    inner_distance,
    room_centres,
)
from robossl.envs.tasks.rooms_point_goal import RoomsPointGoal
from robossl.envs.tasks.rooms_touch import touches

LEVELS = ("easy", "medium", "hard")


def laid_out(level, count=128, seed=3):
    task = RoomsPointGoal(RoomsPointGoal.levels[level])
    ids = np.arange(count)
    return task, task._scene, task.layout(Draws(seed, Stream.TRAIN, ids, 0 * ids))


def engine_with(task, start):
    engine = MujocoEngine(task.build_model(), len(start["qpos"]), 1)
    for name in ("qpos", "mocap_pos", "mocap_quat"):
        engine.write(name, start[name], np.arange(engine.num_worlds))
    engine.forward()
    return engine


def gap_to_everything(scene, start, x, y):
    """From points [n, K] to walls and furniture, from the bodies' places alone."""
    place, turn = start["mocap_pos"][:, scene._pieces], start["mocap_quat"][:, scene._pieces]
    w, z = turn[..., 0], turn[..., 3]
    columns = (place[..., 0], place[..., 1], 1 - 2 * z * z, 2 * w * z, *scene.shapes)
    pieces = np.stack(np.broadcast_arrays(*columns), axis=-1)
    inner = obstacle_distance(np, x[..., None], y[..., None], pieces[:, None])
    return np.minimum(inner.min(axis=-1), inner_distance(np, x, y))


@pytest.mark.parametrize("level", LEVELS)
def test_every_room_can_be_reached_in_every_layout(level):
    _, scene, start = laid_out(level)
    field = start["field"].reshape(-1, scene.grid.size, scene.grid.size)
    for x, y in room_centres():
        out = np.maximum(np.abs(scene.grid.axis_m - x)[:, None], np.abs(scene.grid.axis_m - y)[None])
        way_round = (out > 0.70) & (out < 0.88)
        assert way_round.sum() > 50
        assert (field[:, way_round] > 0).all()
        assert field[:, way_round].max() < 25


@pytest.mark.parametrize("level", LEVELS)
def test_nodes_are_free_where_bodies_leave_room(level):
    _, scene, start = laid_out(level, count=8)
    field = start["field"].reshape(8, scene.grid.size, scene.grid.size)
    x, y = (np.tile(part.ravel(), (8, 1)) for part in np.meshgrid(scene.grid.axis_m, scene.grid.axis_m, indexing="ij"))
    gap = gap_to_everything(scene, start, x, y).reshape(field.shape)
    clear, tight = gap > CLEAR_M + 1e-6, gap < CLEAR_M - 1e-6
    assert (field[tight] < 0).all()
    assert (field[clear] > 0).mean() > 0.999  # a node may be hemmed in between two pieces of furniture
    assert ((field > 0) & clear).sum() > 8 * 1500


@pytest.mark.parametrize("level", LEVELS)
def test_episodes_start_clear_of_everything_and_away_from_the_goal(level):
    task, scene, start = laid_out(level)
    for point in (start["qpos"][:, :2], start["goal_w"]):
        assert gap_to_everything(scene, start, point[:, :1], point[:, 1:]).min() > CLEAR_M - 1e-6
    assert np.hypot(*(start["qpos"][:, :2] - start["goal_w"]).T).min() > 1.0
    engine = engine_with(task, start)
    assert not engine.read("sensordata")[:, 0].any()


def test_contacts_are_where_the_geometry_says():
    task, scene, start = laid_out("hard", count=400)
    generator = np.random.default_rng(0)
    start["qpos"][:, :2] = generator.uniform(-OUTER_M + 0.1, OUTER_M - 0.1, (400, 2))
    x, y = start["qpos"][:, :1], start["qpos"][:, 1:2]
    gap = gap_to_everything(scene, start, x, y)[:, 0] - ROBOT_RADIUS_M
    found = engine_with(task, start).read("sensordata")[:, 0] > 0
    certain = np.abs(gap) > 1e-4
    np.testing.assert_array_equal(found[certain], (gap < 0)[certain])
    assert 50 < found.sum() < 350


def test_near_are_those_within_two_millimetres_and_touched_those_that_were_found():
    _, scene, start = laid_out("hard", count=400)
    generator = np.random.default_rng(0)
    pose = generator.uniform(-OUTER_M + 0.1, OUTER_M - 0.1, (400, 3)).astype(np.float32)
    pose[:100, :2] = start["pieces"][:100, :2, -1] + [0.3, 0.0]  # beside a piece of furniture, turned as it may be
    found = np.zeros((400, 4), np.float32)
    found[::7, generator.integers(4, size=58)] = 1
    touched, is_near = touches(found, pose, start["pieces"], scene.shapes, ROBOT_RADIUS_M, INNER_M, 0.002)
    np.testing.assert_array_equal(touched, found.any(axis=1))
    gap = gap_to_everything(scene, start, pose[:, :1], pose[:, 1:2])[:, 0] - ROBOT_RADIUS_M - 0.002
    certain = np.abs(gap) > 1e-5
    np.testing.assert_array_equal(is_near[certain], ((gap < 0) & (touched == 0))[certain])
    assert 100 < is_near.sum() < 300


def test_levels_differ_in_doors_walls_furniture_and_distance():
    lengths, pieces, walls = [], [], []
    for level in LEVELS:
        task, scene, start = laid_out(level)
        x, y = start["qpos"][:, 0], start["qpos"][:, 1]
        lengths.append(scene.grid.read(np, start["field"], x, y).mean())
        there = np.abs(start["mocap_pos"][:, :, 0]) < OUTER_M
        pieces.append(there[:, -NUM_FURNITURE:].sum(axis=1))
        walls.append(there[:, 1 : 1 + 2 * NUM_WALLS].mean())
        model = task.build_model()
        short, long = (model.geom(f"wall_00_{piece}").size[1] for piece in ("short", "long"))
        assert 2 * (short + long) == pytest.approx(2.2 - task.config.door_m)
    assert lengths[0] < lengths[1] - 1 < lengths[2] - 3
    assert [(count.min(), count.max()) for count in pieces] == [(0, 4), (4, 10), (10, 12)]
    assert walls[0] < 0.6 < walls[1] < walls[2] == 1.0


def test_what_is_not_needed_stands_beside_the_house_at_the_height_of_the_rest():
    """Bodies far below would slow the search for pairs that touch, and the physics by a tenth."""
    _, scene, start = laid_out("easy")
    pieces = start["mocap_pos"][:, scene._pieces]
    parked = np.abs(pieces[..., 0]) > OUTER_M
    assert parked.any()
    np.testing.assert_array_equal(pieces[..., 2], np.broadcast_to(pieces[0, :, 2], parked.shape))
    assert (pieces[..., 2] > 0).all()


def test_every_episode_is_another():
    _, _, start = laid_out("medium")
    for name in ("qpos", "goal_w", "field", "mocap_pos", "mocap_quat", "geom_rgba", "light_diffuse"):
        assert len(np.unique(start[name].reshape(128, -1), axis=0)) == 128, name
