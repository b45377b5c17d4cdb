import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.ahead import Ahead
from robossl.envs.config import WorldSeed

WORLDS = WorldSeed(seed=9, stream=Stream.EVAL)


class Scene:
    """Lays out episodes, and notes how often it is asked, for how many, and a number of each."""

    def __init__(self):
        self.calls, self.units = [], []

    def layout(self, draws):
        unit = draws.uniform(shape=(5,))
        self.calls.append(len(unit))
        self.units += unit[:, 0].tolist()
        return {"pose": unit[:, :3], "mirror": -unit[:, 3:].reshape(-1, 1, 2), "side": unit[:, 0] > 0.5}


def expected(worlds, world, episode):
    return Scene().layout(Draws(worlds.seed, worlds.stream, world, episode))


@pytest.mark.parametrize("num_worlds", [1, 3, 200, 1500])
def test_what_is_taken_is_what_the_draws_give(num_worlds):
    scene, ahead = Scene(), Ahead(num_worlds)
    episode, generator = np.zeros(num_worlds, np.int64), np.random.default_rng(0)
    ids = np.arange(num_worlds)
    for _ in range(40):
        taken = ahead.draws(WORLDS, 100, episode, ids).apply(scene.layout)
        for name, value in expected(WORLDS, 100 + ids, episode[ids]).items():
            np.testing.assert_array_equal(taken[name], value)
            taken[name][...] = 7  # a copy
        ids = np.flatnonzero(generator.uniform(size=num_worlds) < 0.3) if num_worlds > 9 else ids
        episode[ids] += 1


def test_few_calls_lay_out_many_episodes():
    scene, ahead = Scene(), Ahead(64)
    episode, generator = np.zeros(64, np.int64), np.random.default_rng(0)
    ahead.draws(WORLDS, 0, episode, np.arange(64)).apply(scene.layout)
    num_begun = 0
    scene.calls.clear()
    for _ in range(200):
        ids = generator.choice(64, 8, replace=False)
        ids.sort()
        episode[ids] += 1
        num_begun += len(ids)
        ahead.draws(WORLDS, 0, episode, ids).apply(scene.layout)
    assert sum(scene.calls) < 1.5 * num_begun + 64 * 16
    assert len(np.unique(scene.units)) == len(scene.units)  # none is laid out twice
    assert len(scene.calls) < 200 / 5


def test_other_worlds_and_going_back_lead_to_their_own_episodes():
    scene, ahead, ids = Scene(), Ahead(2), np.arange(2)
    for worlds, first_world, episode in [
        (WORLDS, 0, [0, 5]),
        (WorldSeed(seed=10), 0, [0, 5]),
        (WORLDS, 3, [0, 5]),
        (WORLDS, 3, [9, 80]),
        (WORLDS, 3, [0, 6]),
    ]:
        taken = ahead.draws(worlds, first_world, np.array(episode), ids).apply(scene.layout)
        wanted = expected(worlds, first_world + ids, np.array(episode))
        np.testing.assert_array_equal(taken["pose"], wanted["pose"])


def test_numbers_not_laid_out_are_drawn_as_always():
    ids = np.array([1, 2])
    draws = Ahead(4).draws(WORLDS, 5, np.array([0, 3, 4, 0]), ids)
    np.testing.assert_array_equal(
        draws.uniform(shape=(2,)), Draws(9, Stream.EVAL, 5 + ids, np.array([3, 4])).uniform(shape=(2,))
    )
