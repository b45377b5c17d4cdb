import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.start import Beginning, Starts
from robossl.envs.tasks.ring_corridor import RingCorridor
from robossl.envs.tasks.ring_geometry import (
    CAR_RADIUS_M,
    LENGTH_M,
    arc_coordinate,
    centre_line,
    obstacle_distance,
    wall_distance,
    wrapped,
)


def test_arc_coordinate_is_exact_on_the_centre_line():
    arc = np.array([0.0, 6.5, 13.0, 19.5, 26.0, 32.5, 39.0, 45.5, 51.9])
    x, y, heading = centre_line(arc, np.zeros_like(arc))
    assert x.tolist()[:4] == [6.5, 6.5, 6.5, 0.0]
    assert y.tolist()[:4] == [-6.5, 0.0, 6.5, 6.5]
    assert heading[1] == pytest.approx(np.pi / 2)
    np.testing.assert_allclose(arc_coordinate(np, x, y), arc, atol=1e-12)


def test_arc_coordinate_has_no_jump_where_a_corner_is_cut():
    angle = np.linspace(0, 2 * np.pi, 20001)
    for radius in (5.5, 7.0):
        arc = arc_coordinate(np, radius * np.cos(angle), radius * np.sin(angle))
        step = wrapped(np, np.diff(arc))
        assert step.max() < 0.0042
        assert step.min() > 0
        assert step.sum() == pytest.approx(LENGTH_M)


def test_differences_take_the_short_way_round():
    differences = wrapped(np, np.array([0.4 - 51.8, 51.8 - 0.4, 25.9, -0.5]))
    np.testing.assert_allclose(differences, [0.6, -0.6, 25.9, -0.5], atol=1e-12)


def test_distances_agree_with_the_contacts_of_the_physics():
    task, generator, ids = RingCorridor(), np.random.default_rng(0), np.arange(400)
    engine, memory = MujocoEngine(task.build_model(), 400, 1), task.new_memory(400)
    Beginning(engine, memory)(Starts(task, engine.model, memory).draw(Draws(5, Stream.TRAIN, ids, 0 * ids)), ids)
    engine.forward()
    obstacles = task.privileged(engine, memory)["obstacles"]
    chosen = obstacles[ids, ids % 12, :2]
    near = np.where(np.abs(chosen[:, :1]) < 9, chosen, [6.5, 0.0]) + generator.uniform(-0.9, 0.9, (400, 2))
    engine.write("qpos", np.concatenate([near, np.zeros((400, 1))], axis=1), ids)
    engine.forward()
    x, y = engine.read("qpos")[:, :2].T
    clearance = np.minimum(wall_distance(np, x, y), obstacle_distance(np, x[:, None], y[:, None], obstacles).min(1))
    clearance -= CAR_RADIUS_M
    clear = np.abs(clearance) > 1e-4
    touches = engine.read("sensordata")[:, 0] > 0
    assert 100 < touches.sum() < 300
    np.testing.assert_array_equal(touches[clear], clearance[clear] < 0)
