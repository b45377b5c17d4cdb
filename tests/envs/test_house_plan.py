from itertools import pairwise

import numpy as np

from robossl.envs.tasks import house_plan
from robossl.envs.tasks.house_plan import CLOSED, DOORS, NUM_ROOMS, NUM_WALLS, OPEN, WALL_ROOMS
from robossl.envs.tasks.rooms_geometry import PITCH_M, along_wall, piece_lengths, room_centres


def random_states(count, *, closed_chance, open_chance, seed=0):
    generator = np.random.default_rng(seed)
    tree = house_plan.spanning_tree(generator.uniform(size=(count, NUM_WALLS)))
    keys = generator.uniform(size=(count, 3, NUM_WALLS))
    return tree, house_plan.wall_states(tree, keys, closed_chance, open_chance)


def doors_away(is_open, start):
    """Breadth-first search in one house."""
    count, front = {start: 0}, [start]
    while front:
        room = front.pop(0)
        for one, other in WALL_ROOMS[is_open].tolist():
            for here, there in ((one, other), (other, one)):
                if here == room and there not in count:
                    count[there] = count[room] + 1
                    front.append(there)
    return count


def test_every_wall_joins_two_neighbours():
    apart = room_centres()[WALL_ROOMS[:, 0]] - room_centres()[WALL_ROOMS[:, 1]]
    np.testing.assert_allclose(np.hypot(*apart.T), PITCH_M)
    assert len({tuple(pair) for pair in WALL_ROOMS.tolist()}) == NUM_WALLS


def test_a_tree_joins_all_rooms_with_as_few_doors_as_can_be():
    tree, _ = random_states(200, closed_chance=1.0, open_chance=0.0)
    assert (tree.sum(axis=1) == NUM_ROOMS - 1).all()
    assert all(len(doors_away(walls, 0)) == NUM_ROOMS for walls in tree)
    assert len(np.unique(tree, axis=0)) > 100


def test_walls_are_as_likely_shut_and_absent_as_asked():
    tree, states = random_states(4000, closed_chance=0.6, open_chance=0.2)
    assert not (states == CLOSED)[tree].any()
    assert abs((states == CLOSED)[~tree].mean() - 0.6) < 0.02
    assert abs((states == OPEN)[tree].mean() - 0.2) < 0.01
    share = np.bincount(states[np.isin(states, DOORS)], minlength=4) / np.isin(states, DOORS).sum()
    np.testing.assert_allclose(share, 0.25, atol=0.02)


def test_doors_between_rooms_are_counted_as_by_a_search():
    _, states = random_states(60, closed_chance=0.8, open_chance=0.1)
    start = np.arange(60) % NUM_ROOMS
    for row, count in enumerate(house_plan.hops(states, start)):
        expected = doors_away(states[row] != CLOSED, int(start[row]))
        assert dict(enumerate(count.tolist())) == expected


def test_goals_are_as_many_doors_away_as_asked_or_else_the_farthest():
    count = np.array([[0, 1, 2, 1, 2, 3, 2, 3, 4]] * 50)
    keys = np.random.default_rng(0).uniform(size=(50, NUM_ROOMS))
    assert set(house_plan.choose_room(count, keys, 1, 2).tolist()) == {1, 2, 3, 4, 6}
    assert set(house_plan.choose_room(count, keys, 5, 8).tolist()) == {8}


def test_the_pieces_of_a_wall_leave_one_doorway():
    for door_m in (0.6, 0.7, 0.8):
        lengths = (*piece_lengths(door_m), door_m)
        for state, along in enumerate(along_wall(door_m)):
            there = ~np.isnan(along)
            ends = sorted((m - length / 2, m + length / 2) for m, length in zip(along, lengths, strict=True) if m == m)
            assert there.sum() == {CLOSED: 3, OPEN: 0}.get(state, 2)
            edges = [-PITCH_M / 2, *(edge for pair in ends for edge in pair), PITCH_M / 2]
            gaps = [after - before for before, after in list(pairwise(edges))[::2]]
            widest = {CLOSED: 0.0, OPEN: PITCH_M}.get(state, door_m)
            np.testing.assert_allclose(sorted(gaps)[-1], widest, atol=1e-9)
            np.testing.assert_allclose(sum(gaps), widest, atol=1e-9)
