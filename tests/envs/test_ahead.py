import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.ahead import Ahead
from robossl.envs.config import WorldSeed
from robossl.envs.records import STATE, Names, Start, in_bytes

WORLDS = WorldSeed(seed=9, stream=Stream.EVAL)


class Scene:
    """Draws episodes, and notes how often it is asked, for how many, and a number of each."""

    def __init__(self):
        self.calls, self.units = [], []

    def draw(self, draws):
        unit = draws.uniform(shape=(8,))
        self.calls.append(len(unit))
        self.units += unit[:, 0].tolist()
        records = np.empty(len(unit), [(STATE, np.float64, 8), ("geom_rgba", np.float32, 4), ("state", bool)])
        records[STATE], records["geom_rgba"], records["state"] = unit, unit[:, :4], unit[:, 0] > 0.5
        return Start(Names(("mocap_pos", "qpos"), ("geom_rgba",), ("state",)), records.dtype, in_bytes(records))


def expected(worlds, world, episode):
    return Scene().draw(Draws(worlds.seed, worlds.stream, world, episode))


def require_equal(start, wanted):
    assert start.names == wanted.names
    for name in (STATE, "geom_rgba", "state"):
        np.testing.assert_array_equal(start.of(name), wanted.of(name))


@pytest.mark.parametrize("num_worlds", [1, 3, 200, 1500])
def test_what_is_taken_is_what_the_draws_give(num_worlds):
    ahead = Ahead(Scene().draw, num_worlds)
    episode, generator = np.zeros(num_worlds, np.int64), np.random.default_rng(0)
    ids = np.arange(num_worlds)
    for _ in range(40):
        start = ahead.take(WORLDS, 100, episode, ids)
        require_equal(start, expected(WORLDS, 100 + ids, episode[ids]))
        start.data[:] = 7  # a copy
        ids = np.flatnonzero(generator.uniform(size=num_worlds) < 0.3) if num_worlds > 9 else ids
        episode[ids] += 1


def test_few_calls_lay_out_many_episodes():
    scene = Scene()
    ahead, episode, generator = Ahead(scene.draw, 64), np.zeros(64, np.int64), np.random.default_rng(0)
    ahead.take(WORLDS, 0, episode, np.arange(64))
    num_begun = 0
    scene.calls.clear()
    for _ in range(200):
        ids = generator.choice(64, 8, replace=False)
        ids.sort()
        episode[ids] += 1
        num_begun += len(ids)
        ahead.take(WORLDS, 0, episode, ids)
    assert sum(scene.calls) < 1.5 * num_begun + 64 * 16
    assert len(np.unique(scene.units)) == len(scene.units)  # none is laid out twice
    assert len(scene.calls) < 200 / 5


def test_a_seed_that_is_told_again_lays_out_nothing_anew():
    scene, ids = Scene(), np.arange(3)
    ahead = Ahead(scene.draw, 3)
    ahead.take(WORLDS, 0, np.array([0, 0, 0]), ids)
    ahead.take(WORLDS, 0, np.array([1, 0, 0]), ids[:1])
    num_calls = len(scene.calls)
    ahead.take(WorldSeed(seed=9, stream=Stream.EVAL), 0, np.array([1, 1, 1]), ids[1:])
    assert len(scene.calls) == num_calls


def test_other_worlds_and_going_back_lead_to_their_own_episodes():
    ahead, ids = Ahead(Scene().draw, 2), np.arange(2)
    for worlds, first_world, episode in [
        (WORLDS, 0, [0, 5]),
        (WorldSeed(seed=10), 0, [0, 5]),
        (WORLDS, 3, [0, 5]),
        (WORLDS, 3, [9, 80]),
        (WORLDS, 3, [0, 6]),
    ]:
        start = ahead.take(worlds, first_world, np.array(episode), ids)
        require_equal(start, expected(worlds, first_world + ids, np.array(episode)))
