"""Small worlds whose pictures and vectors say which world, episode and step they are of."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from robossl.core import ArraySpec, EnvSpec
from robossl.data import Episode, Replay

SINGLE = {
    "rgb_front": ArraySpec(shape=(3, 2, 2), dtype="uint8", low=0, high=255),
    "depth_front": ArraySpec(shape=(1, 2, 2)),
    "proprio": ArraySpec(shape=(3,)),
}
Code = tuple[int, int, int]


def observe(codes: list[Code]) -> dict[str, np.ndarray]:
    """Returns channels-first observations of (world, episode, step) triples."""
    code = np.array(codes).reshape(-1, 3)
    pixels = np.broadcast_to(code[:, :, None, None], (len(code), 3, 2, 2))
    return {
        "rgb_front": pixels.astype(np.uint8),
        "depth_front": pixels[:, 2:].astype(np.float32),
        "proprio": code.astype(np.float32),
    }


def act(code: Code) -> list[float]:
    world, episode, step = code
    return [world / 10 + step / 1000, episode / 1000]


def reward(code: Code) -> float:
    world, episode, step = code
    return float(np.sin(1 + world + 7 * episode + 50 * step))


@dataclass
class Worlds:
    """N worlds with random episode lengths, and everything that happened in them, kept naively."""

    num_worlds: int
    rng: np.random.Generator
    mean_length: float = 4.0
    length: dict[tuple[int, int], int] = field(default_factory=dict)
    terminates: dict[tuple[int, int], bool] = field(default_factory=dict)
    slots: list[Code] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.episode = [0] * self.num_worlds
        self.step = [0] * self.num_worlds
        for world in range(self.num_worlds):
            self.begin(world, 0)

    def begin(self, world: int, episode: int) -> None:
        self.length[world, episode] = int(self.rng.geometric(1 / self.mean_length))
        self.terminates[world, episode] = bool(self.rng.random() < 0.5)
        self.episode[world], self.step[world] = episode, 0

    def run(self, replay: Replay, num_steps: int) -> None:
        for _ in range(num_steps):
            self.advance(replay)

    def advance(self, replay: Replay) -> None:
        codes = [(w, self.episode[w], self.step[w]) for w in range(self.num_worlds)]
        ended = [code[2] + 1 == self.length[code[:2]] for code in codes]
        terminated = np.array([end and self.terminates[code[:2]] for end, code in zip(ended, codes, strict=True)])
        final_ids = np.flatnonzero(ended)
        self.rng.shuffle(final_ids)
        final = [(w, self.episode[w], self.step[w] + 1) for w in final_ids]
        replay.add(
            observe(codes),
            np.array([act(code) for code in codes], np.float32),
            np.array([reward(code) for code in codes], np.float32),
            terminated,
            np.array(ended) & ~terminated,
            final_ids,
            observe(final),
        )
        self.slots += [*codes, *final]
        for world in range(self.num_worlds):
            if ended[world]:
                self.begin(world, self.episode[world] + 1)
            else:
                self.step[world] += 1

    def last_step(self, world: int, episode: int) -> int:
        """The newest step of an episode that the replay was told of."""
        if episode < self.episode[world]:
            return self.length[world, episode]
        return self.step[world] - 1


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
