"""Small worlds whose pictures and vectors say which world, episode and step they are of, and checks that read them."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from robossl.core import ArraySpec
from robossl.data import Replay

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


def codes_of(obs):
    return [tuple(int(x) for x in row) for row in obs["proprio"].reshape(-1, 3).tolist()]


def on_numpy(batch):
    """The fields of a batch as arrays: a thousand small comparisons are faster on them."""
    return SimpleNamespace(**{field: _on_numpy(getattr(batch, field)) for field in batch.__dataclass_fields__})


def _on_numpy(value):
    if isinstance(value, dict):
        return {key: tensor.numpy() for key, tensor in value.items()}
    return value if isinstance(value, int) else value.numpy()


def expected_stack(code, num_frames):
    world, episode, step = code
    return [(world, episode, max(0, step - back)) for back in range(num_frames - 1, -1, -1)]


def assert_observes(obs, index, code, num_frames):
    assert obs["proprio"][index].tolist() == list(code)
    assert obs["depth_front"][index].tolist() == [[[code[2]] * 2] * 2]
    frames = obs["rgb_front"][index].reshape(num_frames, 3, 4)
    assert (frames == frames[..., :1]).all()
    assert [tuple(frame) for frame in frames[..., 0].tolist()] == expected_stack(code, num_frames)
