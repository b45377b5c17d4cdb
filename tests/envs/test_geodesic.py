import heapq

import numpy as np
import pytest

from robossl.envs.tasks.geodesic import NODE_M, Grid

MOVES = [(1, 0, 1.0), (1, 1, 2**0.5), (2, 1, 5**0.5), (1, 2, 5**0.5)]
MOVES += [(b, a, length) for a, b, length in MOVES[:1]]
MOVES = [(sx * a, sy * b, np.float32(NODE_M * length)) for a, b, length in MOVES for sx in (1, -1) for sy in (1, -1)]


AROUND_M = 8 * np.hypot(0.1, 0.2) + 0.2
"""From (-0.5, 0) to (0.5, 0) past a wall whose nodes end at y = 0.7, x = -0.1 ... 0.1: four knight's moves up, two
straight ones, four down.
"""


def dijkstra(grid, is_free, goal):
    """Shortest paths one node at a time, with the textbook's queue."""
    axis = grid.axis_m
    straight = np.hypot(axis[:, None] - goal[0], axis[None] - goal[1]).astype(np.float32)
    distance = np.full(is_free.shape, np.inf, np.float32)
    queue = [(straight[node], node) for node in zip(*np.nonzero(is_free & (straight <= 0.2)), strict=True)]
    heapq.heapify(queue)
    while queue:
        length, (i, j) = heapq.heappop(queue)
        if length >= distance[i, j]:
            continue
        distance[i, j] = length
        for di, dj, step in MOVES:
            k, m = i + di, j + dj
            if 0 <= k < grid.size and 0 <= m < grid.size and is_free[k, m]:
                heapq.heappush(queue, (np.float32(length + step), (k, m)))
    return distance


def random_maps(grid, count, seed, blocked=0.3):
    generator = np.random.default_rng(seed)
    is_free = generator.uniform(size=(count, grid.size, grid.size)) > blocked
    return is_free, generator.uniform(-0.8, 0.8, (count, 2))


@pytest.mark.parametrize("blocked", [0.0, 0.3, 0.6])
def test_distances_are_those_of_dijkstra(blocked):
    grid = Grid(1.2)
    is_free, goal = random_maps(grid, 6, seed=1, blocked=blocked)
    fields = grid.distance(is_free, goal)
    for field, free, point in zip(fields, is_free, goal, strict=True):
        expected = dijkstra(grid, free, point)
        reached = np.isfinite(expected)
        assert reached.any()
        np.testing.assert_array_equal(field[reached], expected[reached])
        assert (field[~reached] < 0).all()


def test_a_world_s_distances_do_not_depend_on_the_others():
    grid = Grid(1.2)
    is_free, goal = random_maps(grid, 5, seed=2)
    together = grid.distance(is_free, goal)
    for world in range(5):
        alone = grid.distance(is_free[world : world + 1], goal[world : world + 1])
        np.testing.assert_array_equal(alone[0], together[world])


def test_in_the_open_paths_are_hardly_longer_than_straight_lines():
    grid, goal = Grid(3.0), np.array([[0.23, -0.11]])
    field = grid.distance(np.ones((1, grid.size, grid.size), bool), goal)[0]
    straight = np.hypot(grid.axis_m[:, None] - goal[0, 0], grid.axis_m[None] - goal[0, 1])
    far = straight > 0.5
    assert (field / straight)[far].min() > 1 - 1e-6
    assert (field / straight)[far].max() < 1.04


def test_a_path_leads_around_a_wall():
    grid, is_free = Grid(1.0), np.ones((1, 21, 21), bool)
    is_free[0, 9:12, :18] = False  # from the south up to y = 0.7
    field = grid.distance(is_free, np.array([[0.5, 0.0]]))[0]
    assert field[5, 10] == pytest.approx(AROUND_M)
    assert field[15, 5] == pytest.approx(0.5)


def test_between_nodes_distances_are_read_in_straight_lines():
    grid, goal = Grid(1.0), np.array([[0.5, 0.5]])
    field = grid.distance(np.ones((1, 21, 21), bool), goal)
    flat = field.reshape(1, -1)
    for x, y, expected in (
        (-0.6, 0.2, field[0, 4, 12]),
        (-0.55, 0.2, (field[0, 4, 12] + field[0, 5, 12]) / 2),
        (-0.6, 0.225, 0.75 * field[0, 4, 12] + 0.25 * field[0, 4, 13]),
        (5.0, 0.2, field[0, 20, 12]),
    ):
        assert grid.read(np, flat, np.array([x]), np.array([y]))[0] == pytest.approx(expected, abs=2e-3)


def test_the_lead_is_on_a_shortest_path_and_never_in_a_wall():
    grid, is_free = Grid(1.0), np.ones((1, 21, 21), bool)
    is_free[0, 9:12, :18] = False
    flat = grid.distance(is_free, np.array([[0.5, 0.0]])).reshape(1, -1)
    x, y = np.array([-0.5], np.float32), np.array([0.0], np.float32)
    driven = 0.0
    for _ in range(20):
        way_x, way_y = grid.lead(np, flat, x, y, reach_m=0.23)
        assert is_free[0, round((way_x[0] + 1) / NODE_M), round((way_y[0] + 1) / NODE_M)]
        driven += np.hypot(way_x[0] - x[0], way_y[0] - y[0])
        x, y = way_x, way_y
        if np.hypot(x[0] - 0.5, y[0]) < 0.2:
            break
    left = np.hypot(x[0] - 0.5, y[0])
    assert driven + left == pytest.approx(AROUND_M, rel=0.04)
