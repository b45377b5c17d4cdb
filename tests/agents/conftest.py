"""Analytic environments for the agents: small pictures, a vector, and rewards that can be worked out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from robossl.agents import Representation
from robossl.nets import EncoderConfig

SIDE = 8
TINY = EncoderConfig(channels=(8,), kernels=(3,), strides=(2,), image_features=16, vector_hidden=(), vector_features=8)


class ColourEnv(VecEnv):
    """N worlds that show a colour; the best action is what the newest frame's red and blue say.

    reward = -(action - f)^2, f = 0.8 (red - blue) / 255; the vector holds the step of the episode and noise. An episode
    ends after `length` steps by truncation, or by termination where its green is dark (a share of `deadly`).
    """

    def __init__(
        self, num_envs: int = 4, *, length: int = 5, deadly: float = 0.0, frame_stack: int = 1, seed: int = 0
    ) -> None:
        self.frame_stack, self.length, self.deadly = frame_stack, length, deadly
        picture = spaces.Box(0, 255, (3 * frame_stack, SIDE, SIDE), np.uint8)
        vector = spaces.Box(-np.inf, np.inf, (2,), np.float32)
        super().__init__(
            num_envs, spaces.Dict({"rgb_front": picture, "proprio": vector}), spaces.Box(-1, 1, (1,), np.float32)
        )
        self.generator = np.random.default_rng(seed)
        self.num_resets = 0

    def reset(self) -> dict[str, np.ndarray]:
        self.num_resets += 1
        self.elapsed = np.zeros(self.num_envs, np.int64)
        self.stack = np.tile(self._frames(), (1, self.frame_stack, 1, 1))
        return self._obs()

    def step_async(self, actions: np.ndarray) -> None:
        assert actions.shape == (self.num_envs, 1)
        assert np.abs(actions).max() <= 1
        self.actions = actions

    def step_wait(self) -> Any:
        reward = -((self.actions[:, 0] - self.best_action()) ** 2)
        terminated = self.stack[:, -2].mean(axis=(1, 2)) < 255 * self.deadly
        self.elapsed += 1
        dones = terminated | (self.elapsed >= self.length)
        frames = self._frames()
        self.stack = np.concatenate([self.stack[:, 3:], frames], axis=1)
        last = self._obs()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(dones):
            infos[i] = {
                "terminal_observation": {key: value[i].copy() for key, value in last.items()},
                "TimeLimit.truncated": bool(not terminated[i]),
                "episode": {"r": float(reward[i]), "l": int(self.elapsed[i]), "t": 0.0},
                "is_success": bool(reward[i] > -0.1),
            }
        self.elapsed[dones] = 0
        self.stack[dones] = np.tile(self._frames()[dones], (1, self.frame_stack, 1, 1))
        return self._obs(), reward.astype(np.float32), dones, infos

    def best_action(self) -> np.ndarray:
        """What the newest frames ask for, [N]."""
        red, blue = (self.stack[:, channel].mean(axis=(1, 2)) for channel in (-3, -1))
        return 0.8 * (red - blue) / 255.0

    def get_state(self) -> dict[str, Any]:
        return {
            "stack": self.stack.copy(),
            "elapsed": self.elapsed.copy(),
            "generator": self.generator.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.stack, self.elapsed = state["stack"].copy(), state["elapsed"].copy()
        self.generator.bit_generator.state = state["generator"]

    def _frames(self) -> np.ndarray:
        colour = self.generator.integers(0, 256, (self.num_envs, 3, 1, 1), np.uint8)
        return np.broadcast_to(colour, (self.num_envs, 3, SIDE, SIDE)).copy()

    def _obs(self) -> dict[str, np.ndarray]:
        vector = np.stack([self.elapsed / self.length, np.linspace(-1, 1, self.num_envs)], axis=1)
        return {"rgb_front": self.stack.copy(), "proprio": vector.astype(np.float32)}

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def colour_env() -> type[ColourEnv]:
    return ColourEnv


@pytest.fixture
def tiny() -> EncoderConfig:
    return TINY


@pytest.fixture
def make_agent() -> Callable[..., Any]:
    """Builds an agent; what is no argument of `from_config` is one of `Representation`."""

    def make(algorithm: Any, default: Any, config: Any = None, *, env: Any = None, seed: int = 0, **parts: Any) -> Any:
        representation = Representation(**{"encoder": TINY, **parts})
        return algorithm.from_config(config or default, env or ColourEnv(), representation=representation, seed=seed)

    return make
