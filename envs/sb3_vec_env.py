"""The border to stable-baselines3: a batch of environments as its `VecEnv`."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from robossl.core import ArraySpec, BatchEnv, FrameStack, Obs, StepBatch, Tree, UserError
from robossl.core.finite import checked_keys, require_finite, require_finite_step
from robossl.core.frames import channels_first
from robossl.core.specs import image_keys
from robossl.envs.gym_view import frame, has_begun, reset_to_next_episode
from robossl.envs.spaces import box, observation_space


class SB3VecEnv(VecEnv):
    """N worlds as stable-baselines3 sees them: pictures channels-first, the last `frame_stack` of them joined.

    `reset` begins episode 0 the first time, later an episode that no world has begun yet. The infos of worlds that
    ended hold `terminal_observation`, `TimeLimit.truncated`, `episode` {r, l, t}, `is_success` where it is
    told, and the episode's `metric/<name>` and `randomise/<name>`; all others are empty.

    Attributes:
        frame_stack: how many frames a colour picture joins: a replay stores them single.
        last_step: the newest answer of the environment, for loggers.
    """

    last_step: StepBatch

    def __init__(self, env: BatchEnv, *, frame_stack: int = 1) -> None:
        self.env = env
        self._observation = env.spec.observation
        self._checked = checked_keys(env.spec)
        self.frame_stack = frame_stack
        self._frames = FrameStack(frame_stack, self._observation)
        self._returns = np.zeros(env.num_worlds)
        self._lengths = np.zeros(env.num_worlds, np.int64)
        self._begun = False
        self._start_s = time.time()
        space = observation_space(_stacked(self._observation, frame_stack))
        super().__init__(env.num_worlds, space, box(env.spec.action))
        self.metadata: dict[str, Any] = {**self.metadata, "render_fps": env.spec.control_hz}

    @property
    def perf(self) -> dict[str, float]:
        """Seconds spent so far in "simulate" and "render"."""
        return self.env.perf

    def reset(self) -> Obs:
        """Begins an episode in every world; see the class.

        Raises:
            UserError: if an observation is not finite.
        """
        seed, goes_on = self._seeds[0], self._begun
        self._reset_seeds()
        self._reset_options()
        self._begun = True
        self._returns[:], self._lengths[:] = 0, 0
        obs = reset_to_next_episode(self.env) if goes_on and seed is None else self.env.reset(seed=seed)
        require_finite(obs, self._checked)
        return channels_first(self._frames.reset(obs), self._observation)

    def step_async(self, actions: NDArray[np.float32]) -> None:
        """Keeps the actions [N, A] for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Obs, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advances all worlds.

        Raises:
            ValueError: if the actions have the wrong shape or are not finite.
            UserError: if an observation is not finite.
        """
        step = self.last_step = self.env.step(self._actions)
        require_finite_step(step, self._checked)
        obs, final_obs = self._frames.push(step.obs, step.final_ids, step.final_obs)
        self._returns += step.reward
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if len(step.final_ids):
            final_obs = channels_first(final_obs, self._observation)
            for row, world in enumerate(step.final_ids.tolist()):
                infos[world] = self._final_info(step, world, {key: value[row] for key, value in final_obs.items()})
            self._returns[step.final_ids], self._lengths[step.final_ids] = 0, 0
        return channels_first(obs, self._observation), step.reward, step.terminated | step.truncated, infos

    def get_state(self) -> Tree:
        """Returns everything that the next step depends on."""
        return {
            "env": self.env.get_state(),
            "frames": self._frames.get_state(),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
        }

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self.env.set_state(state["env"])
        self._frames.set_state(state["frames"])
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]
        self._begun = has_begun(state["env"])
        self._reset_seeds()

    def close(self) -> None:
        """Closes the environment."""
        self.env.close()

    def get_images(self) -> Sequence[NDArray[np.uint8]]:
        """Draws every world, each [H, W, 3]."""
        return [frame(self.env, world) for world in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Returns an attribute of the environment, once per world asked for: all worlds share it."""
        value = "rgb_array" if attr_name == "render_mode" else getattr(self.env, attr_name)
        return [value for _ in self._worlds_of(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of the environment.

        Raises:
            ValueError: if only some worlds are meant: they share one environment.
        """
        if len(set(self._worlds_of(indices))) != self.num_envs:
            raise ValueError(f"the worlds share one environment: indices must name all of them, got {indices}")
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the environment once and returns its answer once per world asked for."""
        worlds = self._worlds_of(indices)
        answer = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [answer for _ in worlds]

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Tells for each world asked for that no Gymnasium wrapper is around it."""
        return [False for _ in self._worlds_of(indices)]

    def _worlds_of(self, indices: VecEnvIndices) -> list[int]:
        """Returns the worlds that are asked for; negative indices count from the end.

        Raises:
            IndexError: if there is none of an index.
        """
        worlds = list(self._get_indices(indices))
        for world in worlds:
            if not -self.num_envs <= world < self.num_envs:
                raise IndexError(f"there is no world {world}: the worlds are 0 to {self.num_envs - 1}")
        return [world % self.num_envs for world in worlds]

    def _final_info(self, step: StepBatch, world: int, terminal_observation: Obs) -> dict[str, Any]:
        episode = {
            "r": float(self._returns[world]),
            "l": int(self._lengths[world]),
            "t": time.time() - self._start_s,
        }
        return {
            "terminal_observation": terminal_observation,
            "TimeLimit.truncated": bool(step.truncated[world]),
            "episode": episode,
            **({"is_success": bool(step.info["is_success"][world])} if "is_success" in step.info else {}),
            **{
                name: float(value[world]) if value.ndim == 1 else np.array(value[world])
                for name, value in step.info.items()
                if name.startswith(("metric/", "randomise/"))
            },
        }


def _stacked(observation: dict[str, ArraySpec], num_frames: int) -> dict[str, ArraySpec]:
    """Returns the specs with pictures channels-first [k * C, H, W].

    Raises:
        UserError: if a picture has more channels than rows: stable-baselines3 would take it for channels-last.
    """
    stacked = {}
    colour = image_keys(observation)
    for key, spec in observation.items():
        if spec.is_image:
            height, width, channels = spec.shape
            channels *= num_frames if key in colour else 1
            if channels > min(height, width):
                raise UserError(
                    f"{num_frames} frames of {key!r} are {channels} channels, more than {height}x{width} has"
                )
            spec = replace(spec, shape=(channels, height, width))
        stacked[key] = spec
    return stacked
