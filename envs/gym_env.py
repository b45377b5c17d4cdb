"""robossl's tasks as Gymnasium environments of one world: `gymnasium.make` returns these."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robossl.core import Obs, Tree, UserError
from robossl.core.finite import checked_keys, require_finite, require_finite_step
from robossl.envs.action import require_open
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.fitting import require_fields
from robossl.envs.gym_view import (
    MODES,
    LimitedSpec,
    checked_mode,
    frame,
    has_begun,
    not_begun,
    num_restored,
    reset_info,
    reset_to_next_episode,
)
from robossl.envs.make import make_env
from robossl.envs.spaces import box, observation_space


class GymEnv(gymnasium.Env[Obs, NDArray[np.float32]]):
    """One world of a robossl environment.

    `reset(seed=s)` begins episode 0 of seed s, every further `reset()` the next one; without any seed the first reset
    draws one from the operating system. `info` holds what `StepBatch.info` does; that of `reset`, what was drawn for
    the episode (`randomise/<name>`). After an episode's last step `render` shows how it ended, until `reset`. After
    `set_state` any other goes on from what `get_state` returned, also where its last episode ended, or none has begun;
    Gymnasium's wrappers want a `reset()` before.

    Args:
        config: an id or a full config; its number of worlds is overruled.
        render_mode: "rgb_array" or None.
        options: fields of `EnvConfig` to change.
    """

    metadata: dict[str, Any] = {"render_modes": list(MODES)}  # noqa: RUF012 (declared so by gymnasium.Env)
    spec = LimitedSpec()

    def __init__(self, config: EnvConfig | str, *, render_mode: str | None = None, **options: Any) -> None:
        config = EnvConfig(id=config, num_threads=1) if isinstance(config, str) else config
        if "num_worlds" in options:
            raise UserError("gymnasium.make makes one world: more are made by gymnasium.make_vec(..., num_envs=...)")
        require_fields(config, options, "option", but=("num_worlds",))
        self.render_mode = checked_mode(render_mode)
        self.batch_env = make_env(replace(config, num_worlds=1, **options), WorldSeed())
        spec = self.batch_env.spec
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
            obs = reset_to_next_episode(self.batch_env)
        else:
            obs = self.batch_env.reset(seed=int(self.np_random.integers(2**32)) if seed is None else seed)
        require_finite(obs, self._checked)
        self._next_obs, self._running, self._last_frame = None, True, None
        return {key: value[0] for key, value in obs.items()}, _info(reset_info(self.batch_env))

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
            raise not_begun()
        batch = self.batch_env.step(np.asarray(action, np.float32)[None])
        require_finite_step(batch, self._checked)
        ended = len(batch.final_ids) > 0
        if ended:
            self._next_obs, self._running = batch.obs, False
            self._num_restored = num_restored(self.batch_env)
        obs = {key: value[0] for key, value in (batch.final_obs if ended else batch.obs).items()}
        ends = bool(batch.terminated[0]), bool(batch.truncated[0])
        return obs, float(batch.reward[0]), *ends, _info(batch.info)

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
        return frame(self.batch_env, 0) if self._last_frame is None else self._last_frame.copy()

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
        next_obs = None if state.get("next_obs") is None else self._observed(state["next_obs"])
        self.batch_env.set_state(state)
        self._num_restored, self._last_frame = num_restored(self.batch_env), None
        self._next_obs, self._running = next_obs, bool(state.get("is_running", has_begun(state)))

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        self._last_frame = None
        self._running, self._is_closed = False, True
        self.batch_env.close()

    def _observed(self, obs: Any) -> Obs:
        """Returns what this environment observes of a first observation of one world {key: [1, ...]}, as a copy."""
        specs = self.batch_env.spec.observation
        found = {key: np.array(obs[key]) for key in specs if isinstance(obs, Mapping) and key in obs}
        for key, spec in specs.items():
            shape = list(found[key].shape[1:]) if key in found else "not in it"
            if shape != list(spec.shape):
                raise UserError(
                    f"the state's first observation does not fit: {key!r} is {shape}, here {list(spec.shape)}"
                )
        return found

    def _follow_restored(self) -> None:
        """Forgets the episode that ended where its environment was given a state since: that one is running."""
        restored = num_restored(self.batch_env)
        if restored != self._num_restored:
            self._num_restored, self._next_obs, self._last_frame = restored, None, None
            self._running = True

    def _keep_frame(self, _: NDArray[np.int64]) -> None:
        """Draws the world before its next episode begins; where it cannot be drawn, whoever asks for it is told."""
        try:
            self._last_frame = frame(self.batch_env, 0)
        except UserError as error:
            self._last_frame = error


def _info(info: Obs) -> dict[str, Any]:
    """Returns the only world's: numbers of Python's, arrays where a name has several."""
    return {name: value[0].item() if value.ndim == 1 else np.array(value[0]) for name, value in info.items()}
