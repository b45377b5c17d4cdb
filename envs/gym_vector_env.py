"""robossl's tasks as Gymnasium environments of many worlds: `gymnasium.make_vec` returns these."""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from robossl.core import BatchEnv, Obs, StepBatch, Tree, UserError
from robossl.core.finite import checked_keys, require_finite, require_finite_step
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


class GymVectorEnv(gymnasium.vector.VectorEnv[Obs, NDArray[np.float32], NDArray[Any]]):
    """N worlds of a robossl environment; worlds that end are reset in the same step.

    `reset(seed=s)` begins episode 0 of worlds 0 ... N - 1 of seed s, every further `reset()` an episode that no world
    has begun yet; its info tells what was drawn (`randomise/<name>`). After `set_state` any other goes on from what
    `get_state` returned. What ended is `info["final_obs"]` and `info["final_info"]`, as Gymnasium lays them out.
    """

    metadata: dict[str, Any] = {"render_modes": list(MODES), "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    spec = LimitedSpec()

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
        self.render_mode = checked_mode(render_mode)
        self.batch_env = make_env(replace(config, num_worlds=num_envs, **options), WorldSeed())
        spec = self.batch_env.spec
        if max_episode_steps not in (None, spec.max_episode_steps):
            self.batch_env.close()
            raise UserError(
                f"max_episode_steps={max_episode_steps}: episodes of {spec.id} have {spec.max_episode_steps} steps at"
                ' most; only vectorization_mode="sync" or "async" can end them sooner'
            )
        self.num_envs = num_envs
        self.metadata = {**type(self).metadata, "render_fps": spec.control_hz}
        self.single_observation_space = observation_space(spec.observation)
        self.single_action_space = box(spec.action)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._checked = checked_keys(spec)
        self._begun, self._num_restored = False, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """Begins an episode in every world; `options` are ignored.

        Raises:
            UserError: if an observation is not finite.
        """
        super().reset(seed=seed)
        self._follow_restored()
        if seed is None and self._begun:
            obs = reset_to_next_episode(self.batch_env)
        else:
            obs = self.batch_env.reset(seed=int(self.np_random.integers(2**32)) if seed is None else seed)
        self._begun = True
        require_finite(obs, self._checked)
        return obs, _reset_info(self.batch_env)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Obs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Advances all worlds by one control step; see `BatchEnv.step`.

        Raises:
            ValueError: if the actions have the wrong shape or are not finite.
            gymnasium.error.ResetNeeded: before the first `reset`.
            UserError: if an observation is not finite.
        """
        if not self._begun:
            self._follow_restored()
        if not self._begun:
            raise not_begun()
        batch = self.batch_env.step(actions)
        require_finite_step(batch, self._checked)
        return batch.obs, batch.reward, batch.terminated, batch.truncated, _vector_info(batch, self.batch_env)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draws every world, each [H, W, 3], where `render_mode` asks for it."""
        return tuple(frame(self.batch_env, world) for world in range(self.num_envs)) if self.render_mode else None

    def get_state(self) -> Tree:
        """Returns everything that the next `step` depends on."""
        self._follow_restored()
        return {**self.batch_env.get_state(), "has_begun": self._begun}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned.

        Raises:
            UserError: if it does not fit; nothing has changed then.
        """
        self.batch_env.set_state(state)
        self._begun, self._num_restored = bool(state.get("has_begun", has_begun(state))), num_restored(self.batch_env)

    def _follow_restored(self) -> None:
        """Goes on with what was put back into its environment since."""
        restored = num_restored(self.batch_env)
        self._begun |= restored != self._num_restored
        self._num_restored = restored

    def close_extras(self) -> None:
        """Frees threads and graphics contexts."""
        self.batch_env.close()


def _reset_info(env: BatchEnv) -> dict[str, Any]:
    return _masked(reset_info(env), np.ones(env.num_worlds, bool))


def _vector_info(batch: StepBatch, env: BatchEnv) -> dict[str, Any]:
    """Splits a step's info into that of the running and, under "final_info", that of the ended episodes."""
    ended = batch.terminated | batch.truncated
    info = _masked(batch.info, ~ended)
    if len(batch.final_ids):
        final_obs = np.full(len(ended), None, object)
        for row, world in enumerate(batch.final_ids):
            final_obs[world] = {key: value[row] for key, value in batch.final_obs.items()}
        info |= {"final_obs": final_obs, "_final_obs": ended, **_reset_info(env)}
        info |= {"final_info": _masked(batch.info, ended), "_final_info": ended.copy()}
    return info


def _masked(info: Obs, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Returns {name: [N, ...], _name: [N] bool}, zero where the mask is not set."""
    masked: dict[str, Any] = {f"_{name}": mask.copy() for name in info}
    for name, value in info.items():
        masked[name] = np.where(mask.reshape(-1, *[1] * (value.ndim - 1)), value, np.zeros_like(value))
    return masked
