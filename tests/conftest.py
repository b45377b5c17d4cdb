"""What tests of several packages share: an environment whose every number says where it comes from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robossl.core import ArraySpec, EnvSpec, Obs, Policy, StepBatch


class ZeroExpert:
    """Does nothing."""

    def reset(self, ids: NDArray[np.int64]) -> None:
        pass

    def act(self, obs: Obs, privileged: Obs) -> NDArray[np.float32]:
        return np.zeros((len(privileged["elapsed"]), 2), np.float32)


class CounterEnv:
    """A `BatchEnv` that counts: whoever mixes up worlds, episodes or steps gets other numbers.

    `proprio` [3] is (world, episode, step); every pixel of `rgb_front` [6, 8, 3] is the same modulo 256. The reward of
    a step is the number of the step it leads to. Episode e of world w lasts 3 + (w + e) % 4 steps and then terminates
    with success where w + e is even, else is truncated.
    """

    def __init__(self, num_worlds: int = 3, *, pictures: bool = True) -> None:
        self.num_worlds = num_worlds
        self.seed = 0
        self.perf = {"simulate": 0.0, "render": 0.0}
        self.before_reset: Callable[[NDArray[np.int64]], None] | None = None
        observation = {"proprio": ArraySpec(shape=(3,))}
        if pictures:
            observation["rgb_front"] = ArraySpec(shape=(6, 8, 3), dtype="uint8", low=0, high=255)
        self.spec = EnvSpec(
            id="test/Counter-v0",
            control_hz=10.0,
            max_episode_steps=6,
            observation=observation,
            action=ArraySpec(shape=(2,), low=-1.0, high=1.0, names=("left", "right")),
            privileged={"elapsed": ArraySpec(shape=(1,))},
            reward_terms=("step",),
            metrics=("steps",),
            camera_names=("front",),
        )
        self.world = np.arange(num_worlds)
        self.episode = np.zeros(num_worlds, np.int64)
        self.elapsed = np.zeros(num_worlds, np.int64)
        self.action = np.zeros((num_worlds, 2), np.float32)
        self.begun = False
        self.closed = False

    def reset(self, *, first_world: int = 0, first_episode: int = 0, seed: int | None = None) -> Obs:
        self.seed = self.seed if seed is None else seed
        self.world = first_world + np.arange(self.num_worlds)
        self.episode[:], self.elapsed[:], self.begun = first_episode, 0, True
        return self._observe(np.arange(self.num_worlds))

    def step(self, action: Any) -> StepBatch:
        if not self.begun:
            raise RuntimeError("an environment must be reset before it is stepped")
        self.action = np.array(action, np.float32)
        if self.action.shape != (self.num_worlds, 2) or not np.isfinite(self.action).all():
            raise ValueError(f"action {action}")
        self.elapsed += 1
        number = self.world + self.episode
        ended = self.elapsed >= 3 + number % 4
        reward = self.elapsed.astype(np.float32)
        success = ended & (number % 2 == 0)
        info = {"success": success, "is_success": success.copy(), "reward/step": reward / 6, "metric/steps": reward * 1}
        final_ids = np.flatnonzero(ended)
        final_obs = self._observe(final_ids)
        if len(final_ids) and self.before_reset is not None:
            self.before_reset(final_ids)
        self.episode[final_ids] += 1
        self.elapsed[final_ids] = 0
        obs = self._observe(np.arange(self.num_worlds))
        return StepBatch(obs, reward, success.copy(), ended & ~success, final_ids, final_obs, info)

    def _observe(self, ids: NDArray[np.int64]) -> Obs:
        numbers = np.stack([self.world, self.episode, self.elapsed], axis=-1)[ids]
        obs: Obs = {"proprio": numbers.astype(np.float32)}
        if "rgb_front" in self.spec.observation:
            obs["rgb_front"] = np.tile(numbers[:, None, None].astype(np.uint8), (1, 6, 8, 1))
        return obs

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        return {"world": self.world.copy(), "episode": self.episode.copy()}

    def privileged(self) -> Obs:
        return {"elapsed": self.elapsed[:, None].astype(np.float32)}

    def world_state(self) -> NDArray[np.float64]:
        return np.stack([self.world, self.episode, self.elapsed], axis=-1).astype(np.float64)

    def model_values(self) -> dict[str, Any]:
        return {"mass": (1.0 + self.world + self.episode)[:, None].astype(np.float32)}

    def expert(self) -> Policy | None:
        return ZeroExpert()

    def render_frames(self, camera: str | None = None, *, width: int, height: int, world: int = 0) -> NDArray[np.uint8]:
        return np.tile(self.world_state()[world].astype(np.uint8), (height, width, 1))

    def get_state(self) -> Any:
        names = ("world", "episode", "elapsed")
        return {"seed": self.seed, **{name: getattr(self, name).copy() for name in names}}

    def set_state(self, state: Any) -> None:
        self.seed, self.begun = int(state["seed"]), True
        for name in ("world", "episode", "elapsed"):
            setattr(self, name, np.array(state[name]))

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="session")
def counter_env() -> type[CounterEnv]:
    """The class, so that a test says how many worlds it wants: `counter_env(4, pictures=False)`."""
    return CounterEnv
