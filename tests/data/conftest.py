"""Fixtures of the data's tests."""

from collections.abc import Callable

import numpy as np
import pytest
from coded_worlds import SINGLE, Worlds, act, observe, reward
from episode_checks import CONFIG

from robossl.core import ArraySpec, EnvSpec
from robossl.data import Episode, EpisodeWriter, Replay, episode_writer


@pytest.fixture
def make_worlds() -> Callable[..., Worlds]:
    def make(num_worlds: int, seed: int = 0, mean_length: float = 4.0) -> Worlds:
        return Worlds(num_worlds, np.random.default_rng(seed), mean_length)

    return make


@pytest.fixture
def make_replay() -> Callable[..., Replay]:
    def make(capacity: int, num_worlds: int, **options: int | float) -> Replay:
        return Replay(capacity, SINGLE, 2, num_worlds=num_worlds, **options)

    return make


@pytest.fixture
def spec() -> EnvSpec:
    return EnvSpec(
        id="test/Codes-v0",
        control_hz=4.0,
        max_episode_steps=50,
        observation={
            "rgb_front": ArraySpec(shape=(2, 2, 3), dtype="uint8", low=0, high=255),
            "depth_front": ArraySpec(shape=(2, 2, 1)),
            "proprio": ArraySpec(shape=(3,)),
        },
        action=ArraySpec(shape=(2,), low=-1, high=1),
    )


@pytest.fixture
def make_episode() -> Callable[..., Episode]:
    def make(world: int, episode: int, length: int, *, terminated: bool = True) -> Episode:
        codes = [(world, episode, t) for t in range(length + 1)]
        frames = observe(codes)
        pictures = {key: frames[key].transpose(0, 2, 3, 1) for key in ("rgb_front", "depth_front")}
        return Episode(
            obs={**pictures, "proprio": frames["proprio"]},
            action=np.array([act(code) for code in codes[:-1]], np.float32),
            reward=np.array([reward(code) for code in codes[:-1]], np.float32),
            terminated=terminated,
            truncated=not terminated,
            state=np.array(codes, np.float64) / 7,
            model_values={"geom_friction": np.full((2, 3), np.float32(0.1 + world))},
            info={"success": float(not terminated), "metric/distance": length / 3},
            seed=5,
            stream=2,
            world=world,
            episode=episode,
        )

    return make


@pytest.fixture
def episodes(make_episode):
    lengths = [1, 7, 3, 12, 5]
    return [make_episode(i, 10 + i, length, terminated=i % 2 == 0) for i, length in enumerate(lengths)]


@pytest.fixture
def written(tmp_path, spec, episodes):
    with EpisodeWriter(tmp_path / "data", spec, CONFIG) as writer:
        assert [writer.add(episode) for episode in episodes] == [0, 1, 2, 3, 4]
    return tmp_path / "data"


@pytest.fixture
def _tiny_shards(monkeypatch):
    monkeypatch.setattr(episode_writer, "FIRST_SHARD_BYTES", 16 * 10)
    monkeypatch.setattr(episode_writer, "LAST_SHARD_BYTES", 16 * 20)
