"""Any installed Gymnasium environment as a batch: N copies, stepped one after the other in this process."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robossl.core import (
    Array,
    ArraySpec,
    CommandSpec,
    EnvSpec,
    Obs,
    Policy,
    StepBatch,
    Tree,
    UserError,
)
from robossl.core.errors import require_known
from robossl.envs.action import checked_action, require_open
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.env_state import require_stream
from robossl.envs.episode_ends import count_on
from robossl.envs.gymnasium_viewer import GymnasiumViewer
from robossl.envs.running_episodes import RunningEpisodes
from robossl.envs.spaces import native_action, readers, require_continuous
from robossl.envs.viewers import Viewers

_FALLBACK_HZ = 30.0  # for environments that do not say how fast they run
_FALLBACK_STEPS = 1000  # for environments that never end an episode by themselves
_CAMERA = "viewer"


class GymnasiumEnv:
    """See `BatchEnv`. Every episode is seeded from (seed, stream, world, episode).

    Pictures keep their keys (`rgb_camera` where the observation is one picture), everything else becomes float32
    vectors (`proprio` where it is one). The state that `get_state` returns is the actions of the running episodes:
    `set_state` repeats them, which is exact where the environment is deterministic. There is no simulator state to
    look at: `privileged`, `world_state` and `model_values` are empty. `info` holds no success until an
    environment tells of it (`is_success` or `success` in its own info).
    """

    def __init__(self, config: EnvConfig, worlds: WorldSeed) -> None:
        self.config = config
        self.num_worlds = config.num_worlds
        self.perf = {"simulate": 0.0, "render": 0.0}
        self._envs = _make_copies(config.id, config.num_worlds)
        self._action_space = require_continuous(config.id, self._envs[0].action_space)
        known = readers(config.id, self._envs[0].observation_space)
        require_known("observation", config.observations or (), known)
        self._readers = {key: known[key] for key in config.observations or known}
        self.spec = self._make_spec()
        self._episodes = RunningEpisodes(worlds, self.num_worlds)
        self._actions: list[list[NDArray[np.float32]]] = [[] for _ in self._envs]
        self._viewers = Viewers[GymnasiumViewer]()
        self._begun = self._is_closed = self._tells_success = False
        self.before_reset: Callable[[NDArray[np.int64]], None] | None = None

    def reset(self, *, first_world: int = 0, first_episode: int = 0, seed: int | None = None) -> Obs:
        """See `BatchEnv.reset`.

        Raises:
            UserError: if an observation is not finite.
        """
        require_open(self._is_closed)
        self._episodes.begin(first_world, first_episode, seed)
        self._begun = True
        return self._stacked([self._begin(world) for world in range(self.num_worlds)])

    def step(self, action: Array) -> StepBatch:
        """See `BatchEnv.step`.

        Raises:
            UserError: if an observation or a reward is not finite.
        """
        if not self._begun:
            require_open(self._is_closed)
            raise RuntimeError("an environment must be reset before it is stepped")
        action = checked_action(action, (self.num_worlds, *self.spec.action.shape))
        start = time.perf_counter()
        answers = [self._step_one(world, action[world]) for world in range(self.num_worlds)]
        self._episodes.elapsed += 1
        observations, rewards, ends, limits, successes = (list(column) for column in zip(*answers, strict=True))
        terminated = np.array(ends)
        truncated = np.array(limits) & ~terminated
        self._tells_success |= any(told is not None for told in successes)
        success = np.array([bool(told) for told in successes])
        final_ids = np.flatnonzero(terminated | truncated)
        reward = np.array(rewards, np.float32)
        self._require_finite("reward", reward)
        final_obs = self._stacked([observations[world] for world in final_ids], final_ids)
        if len(final_ids) and self.before_reset is not None:
            self.before_reset(final_ids)
        count_on(self._episodes.episode, self._episodes.elapsed, final_ids)
        for world in final_ids.tolist():
            observations[world] = self._begin(world)
        obs = self._stacked(observations)
        self.perf["simulate"] += time.perf_counter() - start
        info = {"success": success, "is_success": success.copy()} if self._tells_success else {}
        return StepBatch(obs, reward, terminated, truncated, final_ids, final_obs, info)

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        """See `BatchEnv.episode_keys`."""
        return self._episodes.keys()

    def privileged(self) -> Obs:
        """Returns nothing: a Gymnasium environment tells no more than it observes."""
        return {}

    def world_state(self) -> NDArray[np.float64]:
        """Returns [N, 0]: Gymnasium environments have no common state."""
        return np.zeros((self.num_worlds, 0))

    def model_values(self) -> dict[str, Array]:
        """Returns nothing: robossl randomises no foreign model."""
        return {}

    def expert(self) -> Policy | None:
        """Returns None."""
        return None

    def render_frames(self, camera: str | None = None, *, width: int, height: int, world: int = 0) -> NDArray[np.uint8]:
        """See `BatchEnv.render_frames`; pictures that the environment draws itself are resized to the nearest pixels.

        Raises:
            UserError: if the environment cannot be drawn here, or there is no such camera, size or world.
        """
        require_open(self._is_closed)
        if (camera or _CAMERA) not in self.spec.camera_names:
            raise UserError(f"{self.config.id} has no camera {camera or _CAMERA!r}")
        if min(width, height) < 1 or not 0 <= world < self.num_worlds:
            raise UserError(f"no picture of {width} x {height} of world {world} in {self.num_worlds}")
        if _has_model(self._envs[world]):
            viewer = self._viewers.of((width, height), lambda: self._view(width, height))
            return viewer.draw(self._envs[world])
        try:
            frame = np.asarray(self._envs[world].render())
        except Exception as error:  # whatever a foreign environment raises where its graphics library is missing
            raise UserError(f"{self.config.id} cannot draw itself: {_one_line(error)}") from error
        rows = np.arange(height) * frame.shape[0] // height
        columns = np.arange(width) * frame.shape[1] // width
        return np.array(frame[rows][:, columns], np.uint8)

    def get_state(self) -> Tree:
        """Returns the running episodes as their numbers and actions so far."""
        require_open(self._is_closed)
        return {
            **self._episodes.get_state(),
            "tells_success": self._tells_success,
            "actions": [np.array(actions, np.float32) for actions in self._actions],
        }

    def set_state(self, state: Tree) -> None:
        """Repeats the running episodes up to where `get_state` was called.

        Raises:
            UserError: if it is the state of another number of worlds, or of another stream.
        """
        require_open(self._is_closed)
        if len(state["episode"]) != self.num_worlds:
            raise UserError(f"the state holds {len(state['episode'])} worlds, the environment {self.num_worlds}")
        require_stream(state, self._episodes.worlds.stream)
        elapsed = [len(actions) for actions in state["actions"]]  # which states from before do not tell
        state = {**state, "elapsed": elapsed}
        self._episodes.require(state)
        self._episodes.set_state(state)
        self._tells_success = bool(state.get("tells_success", False))  # runs begun before this was kept go on
        self._begun = True
        for world, actions in enumerate(state["actions"]):
            self._begin(world)
            for action in actions:
                self._step_one(world, np.asarray(action, np.float32))

    def close(self) -> None:
        """Closes the copies."""
        if self._is_closed:
            return
        self._begun, self._is_closed = False, True
        self._viewers.close()
        for env in self._envs:
            env.close()

    def _begin(self, world: int) -> Any:
        seed = self._episodes.draws(np.array([world])).integers(2**31)
        self._actions[world] = []
        return self._read(self._envs[world].reset(seed=int(seed[0]))[0])

    def _step_one(self, world: int, action: NDArray[np.float32]) -> tuple[Obs, float, bool, bool, Any]:
        """Steps one copy with an action [A] in [-1, 1]; tells obs, reward, terminated, truncated, success or None."""
        self._actions[world].append(action)
        native = native_action(self._action_space, action)
        obs, reward, terminated, truncated, info = self._envs[world].step(native)
        success = info.get("is_success", info.get("success"))
        return self._read(obs), float(reward), bool(terminated), bool(truncated), success

    def _read(self, native: Any) -> Obs:
        return {key: read(native) for key, (_, read) in self._readers.items()}

    def _stacked(self, observations: list[Obs], ids: NDArray[np.int64] | None = None) -> Obs:
        """Joins what the worlds `ids`, all where None, observe."""
        if not observations:
            return {key: np.zeros((0, *spec.shape), spec.dtype) for key, spec in self.spec.observation.items()}
        stacked = {key: np.stack([obs[key] for obs in observations]) for key in self._readers}
        for key, values in stacked.items():
            self._require_finite(f"observation {key!r}", values, ids)
        return stacked

    def _require_finite(self, what: str, values: Array, ids: NDArray[np.int64] | None = None) -> None:
        """Checks numbers [n, ...] of the worlds `ids`, all where None; pictures are always finite."""
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            row = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0]
            raise UserError(f"{self.config.id}: {what} is not finite in world {row if ids is None else ids[row]}")

    def _make_spec(self) -> EnvSpec:
        env, bounds = self._envs[0], self._action_space
        limits = list(zip(bounds.low.ravel().tolist(), bounds.high.ravel().tolist(), strict=True))
        names = tuple(f"action_{i} [{low:g}, {high:g}]" for i, (low, high) in enumerate(limits))
        return EnvSpec(
            id=self.config.id,
            control_hz=float(env.metadata.get("render_fps") or _FALLBACK_HZ),
            max_episode_steps=_limit(env) or _FALLBACK_STEPS,
            observation={key: spec for key, (spec, _) in self._readers.items()},
            action=ArraySpec(shape=(len(names),), low=-1.0, high=1.0, names=names),
            camera_names=(_CAMERA,) if _has_model(env) or env.render_mode == "rgb_array" else (),
            commands=tuple(_command(i, low, high) for i, (low, high) in enumerate(limits)),
        )

    def _view(self, width: int, height: int) -> GymnasiumViewer:
        return GymnasiumViewer(self._envs[0], self.config.renderer, width=width, height=height)


def _command(index: int, low: float, high: float) -> CommandSpec:
    """Describes one native action; a foreign environment does not tell its unit."""
    half, middle = (high - low) / 2, (high + low) / 2
    return CommandSpec(name=f"action_{index}", unit="", source=index, scale=half, offset=middle, low=low, high=high)


def _make_copies(env_id: str, count: int) -> list[gymnasium.Env[Any, Any]]:
    """Makes the environment `count` times, able to be drawn where it can be, and with an end to every episode."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old versions of an id are the user's choice
            env = gymnasium.make(env_id, disable_env_checker=True)
            options: dict[str, Any] = {} if _limit(env) else {"max_episode_steps": _FALLBACK_STEPS}
            if "rgb_array" in (env.metadata.get("render_modes") or ()) and not _has_model(env):
                options["render_mode"] = "rgb_array"
            env.close()
            return [gymnasium.make(env_id, disable_env_checker=True, **options) for _ in range(count)]
    except gymnasium.error.DependencyNotInstalled as error:
        raise UserError(f"{env_id} needs a package that is not installed: {_one_line(error)}") from error
    except (gymnasium.error.Error, ImportError) as error:
        raise UserError(f"{env_id} cannot be made: {_one_line(error)}") from error


def _has_model(env: gymnasium.Env[Any, Any]) -> bool:
    """Tells whether this is one of Gymnasium's MuJoCo environments, which robossl can draw."""
    return all(hasattr(env.unwrapped, name) for name in ("fullpath", "data", "mujoco_renderer"))


def _limit(env: gymnasium.Env[Any, Any]) -> int | None:
    return env.spec.max_episode_steps if env.spec is not None else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
