"""robossl's tasks as Gymnasium environments: `gymnasium.make` and `gymnasium.make_vec` return these.

Their tasks truncate episodes themselves. They register no `max_episode_steps`, as Gymnasium would truncate once more,
also what has just terminated; the `spec` of what was made tells it.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from robossl.core import BatchEnv, Obs, StepBatch, Tree, UserError
from robossl.core.finite import checked_keys, require_finite, require_finite_step
from robossl.envs.action import require_open
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.fitting import require_fields
from robossl.envs.make import make_env
from robossl.envs.spaces import box, observation_space

_FRAME_SIZE = (480, 360)  # pixels: width, height of what `render` draws
_MODES = ("rgb_array",)


class _LimitedSpec:
    """How Gymnasium made an environment, and after how many steps its task truncates.

    What is made again from it is truncated by Gymnasium, too, after as many steps: also where it terminates just then.
    `gymnasium.make(spec, max_episode_steps=-1)` leaves it to the task.
    """

    def __get__(self, env: Any, owner: Any) -> EnvSpec | None:
        return None if env is None else env.__dict__.get("spec")

    def __set__(self, env: Any, spec: EnvSpec | None) -> None:
        if spec is not None:
            spec = copy.copy(spec)
            spec.max_episode_steps = env.batch_env.spec.max_episode_steps
        env.__dict__["spec"] = spec


class GymEnv(gymnasium.Env[Obs, NDArray[np.float32]]):
    """One world of a robossl environment.

    `reset(seed=s)` begins episode 0 of seed s, every further `reset()` the next one; without any seed the first reset
    draws one from the operating system. `info` holds what `StepBatch.info` does. After an episode's last step `render`
    shows how it ended, until `reset`. After `set_state` any other goes on from what `get_state` returned, also where
    its last episode ended, or none has begun; Gymnasium's wrappers want a `reset()` before.

    Args:
        config: an id or a full config; its number of worlds is overruled.
        render_mode: "rgb_array" or None.
        options: fields of `EnvConfig` to change.
    """

    metadata: dict[str, Any] = {"render_modes": list(_MODES)}  # noqa: RUF012 (declared so by gymnasium.Env)
    spec = _LimitedSpec()

    def __init__(self, config: EnvConfig | str, *, render_mode: str | None = None, **options: Any) -> None:
        config = EnvConfig(id=config, num_threads=1) if isinstance(config, str) else config
        if "num_worlds" in options:
            raise UserError("gymnasium.make makes one world: more are made by gymnasium.make_vec(..., num_envs=...)")
        require_fields(config, options, "option", but=("num_worlds",))
        self.batch_env = make_env(replace(config, num_worlds=1, **options), WorldSeed())
        spec = self.batch_env.spec
        self.render_mode = _checked_mode(render_mode)
        self.metadata = {**type(self).metadata, "render_fps": spec.control_hz}
        self.observation_space = observation_space(spec.observation)
        self.action_space = box(spec.action)
        self._checked = checked_keys(spec)
        self._next_obs: Obs | None = None  # of the next episode, from the step that ended the last one
        self._running = self._is_closed = False
        self._num_restored = 0
        self._last_frame: NDArray[np.uint8] | UserError | None = None  # of the ended episode, or why not
        if self.render_mode and spec.camera_names:
            self.batch_env.before_reset = self._keep_frame

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """Begins an episode; `options` are ignored.

        Raises:
            RuntimeError: if the environment is closed.
            UserError: if an observation is not finite.
        """
        require_open(self._is_closed)
        super().reset(seed=seed)
        self._follow_restored()
        if seed is None and self._next_obs is not None:
            obs = self._next_obs
        elif seed is None and self._running:
            obs = _reset_to_next_episode(self.batch_env)
        else:
            obs = self.batch_env.reset(seed=int(self.np_random.integers(2**32)) if seed is None else seed)
        require_finite(obs, self._checked)
        self._next_obs, self._running, self._last_frame = None, True, None
        return {key: value[0] for key, value in obs.items()}, {}

    def step(self, action: NDArray[np.float32]) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        """Advances the world by one control step.

        Raises:
            ValueError: if the action has the wrong shape or is not finite.
            gymnasium.error.ResetNeeded: if no episode is running.
            RuntimeError: if the environment is closed.
            UserError: if an observation is not finite.
        """
        if not self._running:
            require_open(self._is_closed)
            self._follow_restored()
        if not self._running:
            raise _not_begun()
        batch = self.batch_env.step(np.asarray(action, np.float32)[None])
        require_finite_step(batch, self._checked)
        ended = len(batch.final_ids) > 0
        if ended:
            self._next_obs, self._running = batch.obs, False
            self._num_restored = _num_restored(self.batch_env)
        obs = {key: value[0] for key, value in (batch.final_obs if ended else batch.obs).items()}
        info = {name: value[0].item() for name, value in batch.info.items()}
        return obs, float(batch.reward[0]), bool(batch.terminated[0]), bool(batch.truncated[0]), info

    @property
    def compute_reward(self) -> Callable[[Any, Any, Any], Any]:
        """The reward as a function of achieved and desired goals; only goal-conditioned tasks have it."""
        function: Callable[[Any, Any, Any], Any] = self.batch_env.compute_reward  # type: ignore[attr-defined]
        return function

    def render(self) -> NDArray[np.uint8] | None:
        """Draws the world, [H, W, 3], where `render_mode` asks for it.

        Raises:
            UserError: if it cannot be drawn here.
        """
        if not self.render_mode:
            return None
        self._follow_restored()
        if isinstance(self._last_frame, UserError):
            raise self._last_frame
        return _frame(self.batch_env, 0) if self._last_frame is None else self._last_frame.copy()

    def get_state(self) -> Tree:
        """Returns everything that the next `reset` and `step` depend on."""
        self._follow_restored()
        next_obs = None if self._next_obs is None else {key: np.array(value) for key, value in self._next_obs.items()}
        return {**self.batch_env.get_state(), "next_obs": next_obs, "is_running": self._running}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned, or that of `batch_env`, whose episode runs; `render` shows what is now.

        Raises:
            UserError: if it does not fit; nothing has changed then.
        """
        self.batch_env.set_state(state)
        self._num_restored, self._last_frame = _num_restored(self.batch_env), None
        self._next_obs, self._running = state.get("next_obs"), bool(state.get("is_running", True))

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        self._last_frame = None
        self._running, self._is_closed = False, True
        self.batch_env.close()

    def _follow_restored(self) -> None:
        """Forgets the episode that ended where its environment was given a state since: that one is running."""
        num_restored = _num_restored(self.batch_env)
        if num_restored != self._num_restored:
            self._num_restored, self._next_obs, self._last_frame = num_restored, None, None
            self._running = True

    def _keep_frame(self, _: NDArray[np.int64]) -> None:
        """Draws the world before its next episode begins; where it cannot be drawn, whoever asks for it is told."""
        try:
            self._last_frame = _frame(self.batch_env, 0)
        except UserError as error:
            self._last_frame = error


class GymVectorEnv(gymnasium.vector.VectorEnv[Obs, NDArray[np.float32], NDArray[Any]]):
    """N worlds of a robossl environment; worlds that end are reset in the same step.

    `reset(seed=s)` begins episode 0 of worlds 0 ... N - 1 of seed s, every further `reset()` an episode that no world
    has begun yet. After `set_state` any other goes on from what `get_state` returned. What ended is
    `info["final_obs"]` and `info["final_info"]`, as Gymnasium lays them out.
    """

    metadata: dict[str, Any] = {"render_modes": list(_MODES), "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    spec = _LimitedSpec()

    def __init__(
        self,
        config: EnvConfig | str,
        *,
        num_envs: int = 1,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        **options: Any,
    ) -> None:
        config = EnvConfig(id=config) if isinstance(config, str) else config
        if "num_worlds" in options:
            raise UserError("gymnasium.make_vec is told the number of worlds as num_envs, not as num_worlds")
        require_fields(config, options, "option", but=("num_worlds",))
        if not isinstance(num_envs, int | np.integer) or num_envs < 1:
            raise UserError(f"num_envs must be a whole number from 1 on, got {num_envs!r}")
        self.batch_env = make_env(replace(config, num_worlds=num_envs, **options), WorldSeed())
        spec = self.batch_env.spec
        if max_episode_steps not in (None, spec.max_episode_steps):
            self.batch_env.close()
            raise UserError(
                f"max_episode_steps={max_episode_steps}: episodes of {spec.id} have {spec.max_episode_steps} steps at"
                ' most; only vectorization_mode="sync" or "async" can end them sooner'
            )
        self.num_envs = num_envs
        self.render_mode = _checked_mode(render_mode)
        self.metadata = {**type(self).metadata, "render_fps": spec.control_hz}
        self.single_observation_space = observation_space(spec.observation)
        self.single_action_space = box(spec.action)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._checked = checked_keys(spec)
        self._begun = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """Begins an episode in every world; `options` are ignored.

        Raises:
            UserError: if an observation is not finite.
        """
        super().reset(seed=seed)
        self._begun |= _num_restored(self.batch_env) > 0
        if seed is None and self._begun:
            obs = _reset_to_next_episode(self.batch_env)
        else:
            obs = self.batch_env.reset(seed=int(self.np_random.integers(2**32)) if seed is None else seed)
        self._begun = True
        require_finite(obs, self._checked)
        return obs, {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Obs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Advances all worlds by one control step; see `BatchEnv.step`.

        Raises:
            ValueError: if the actions have the wrong shape or are not finite.
            gymnasium.error.ResetNeeded: before the first `reset`.
            UserError: if an observation is not finite.
        """
        self._begun = self._begun or _num_restored(self.batch_env) > 0
        if not self._begun:
            raise _not_begun()
        batch = self.batch_env.step(actions)
        require_finite_step(batch, self._checked)
        return batch.obs, batch.reward, batch.terminated, batch.truncated, _vector_info(batch)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draws every world, each [H, W, 3], where `render_mode` asks for it."""
        return tuple(_frame(self.batch_env, world) for world in range(self.num_envs)) if self.render_mode else None

    def get_state(self) -> Tree:
        """Returns everything that the next `step` depends on."""
        return self.batch_env.get_state()

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned.

        Raises:
            UserError: if it does not fit; nothing has changed then.
        """
        self.batch_env.set_state(state)
        self._begun = True

    def close_extras(self) -> None:
        """Frees threads and graphics contexts."""
        self.batch_env.close()


def _not_begun() -> gymnasium.error.ResetNeeded:
    return gymnasium.error.ResetNeeded("no episode is running: call reset() first")


def _num_restored(env: BatchEnv) -> int:
    """Returns how often an environment was given a state, as far as it tells."""
    return getattr(env, "num_restored", 0)


def _vector_info(batch: StepBatch) -> dict[str, Any]:
    """Splits a step's info into that of the running and, under "final_info", that of the ended episodes."""
    ended = batch.terminated | batch.truncated
    info = _masked(batch.info, ~ended)
    if len(batch.final_ids):
        final_obs = np.full(len(ended), None, object)
        for row, world in enumerate(batch.final_ids):
            final_obs[world] = {key: value[row] for key, value in batch.final_obs.items()}
        info |= {"final_obs": final_obs, "_final_obs": ended}
        info |= {"final_info": _masked(batch.info, ended), "_final_info": ended.copy()}
    return info


def _masked(info: Obs, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Returns {name: [N], _name: [N] bool}, zero where the mask is not set."""
    return {name: np.where(mask, value, np.zeros_like(value)) for name, value in info.items()} | {
        f"_{name}": mask.copy() for name in info
    }


def _reset_to_next_episode(env: BatchEnv) -> Obs:
    return env.reset(first_episode=int(env.episode_keys()["episode"].max()) + 1)


def _frame(env: BatchEnv, world: int) -> NDArray[np.uint8]:
    width, height = _FRAME_SIZE
    return env.render_frames(width=width, height=height, world=world)


def _checked_mode(render_mode: str | None) -> str | None:
    if render_mode not in (None, *_MODES):
        raise ValueError(f"render_mode is {render_mode!r}, expected None or one of {list(_MODES)}")
    return render_mode
