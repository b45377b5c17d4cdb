"""The environment: an engine, a task and a renderer, stepped as N worlds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CameraSpec, EnvSpec, Obs, Policy, RenderSpec, StepBatch, Tree
from robossl.core.errors import UnknownNameError, UserError
from robossl.core.processor import num_cores
from robossl.core.specs import MODALITIES
from robossl.envs.action import checked_action
from robossl.envs.ahead import Ahead
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.engines import make_engine
from robossl.envs.render import make_renderer
from robossl.envs.render.renderer import Renderer, split_key
from robossl.envs.task import Outcome, Task


class TaskEnv:
    """Steps N worlds of a task; a world that ends begins its next episode in the same step.

    What an episode is depends on (seed, stream, world, episode) alone, never on the number of worlds or threads. An
    episode whose physics diverges is truncated: its last reward terms and its metrics are zero, it is no success, and
    its last observation shows the state before the step, from which a value can be bootstrapped.
    """

    def __init__(self, task: Task, config: EnvConfig, worlds: WorldSeed) -> None:
        self.task, self.config, self.worlds = task, config, worlds
        self.num_worlds = config.num_worlds
        self.perf = {"simulate": 0.0, "render": 0.0}
        num_threads = config.num_threads or num_cores()
        self.engine = make_engine(config.engine, task.build_model(), config.num_worlds, num_threads)
        self._cameras = _sized(task.spec.cameras, config.image_size)
        self._keys = self._chosen_keys(config.observations)
        self._renderer = self._make_renderer()
        self._viewers: dict[tuple[str, int, int], Renderer] = {}
        self.spec = self._make_spec()
        self._weights = {name: np.float32(weight) for name, weight in task.spec.reward_weights.items()}
        self._memory = task.new_memory(self.num_worlds)
        self._ahead = Ahead(self.num_worlds)
        self._first_world = 0
        self._episode = np.zeros(self.num_worlds, np.int64)
        self._elapsed = np.zeros(self.num_worlds, np.int64)
        self._begun = False
        self.before_reset: Callable[[NDArray[np.int64]], None] | None = None

    def reset(self, *, first_world: int = 0, first_episode: int = 0, seed: int | None = None) -> Obs:
        """See `BatchEnv.reset`."""
        with self._timed():
            if seed is not None:
                self.worlds = replace(self.worlds, seed=seed)
            self._first_world = first_world
            self._episode[:] = first_episode
            self._begin(np.arange(self.num_worlds))
            self._begun = True
            return self._observe(None)

    def step(self, action: Array) -> StepBatch:
        """See `BatchEnv.step`."""
        if not self._begun:
            raise RuntimeError("an environment must be reset before it is stepped")
        action = checked_action(action, (self.num_worlds, *self.task.spec.action.shape))
        with self._timed():
            outcome, diverged = self._simulate(action)
            self._elapsed += 1
            terminated = np.array(outcome.terminated, bool)
            truncated = (diverged | (self._elapsed >= self.task.spec.max_episode_steps)) & ~terminated
            reward = np.zeros(self.num_worlds, np.float32)
            for name, weight in self._weights.items():
                reward += weight * outcome.terms[name]
            info = _info(outcome, diverged)
            final_ids = np.flatnonzero(terminated | truncated)
            obs = self._observe(None)
            final_obs = {key: value[final_ids] for key, value in obs.items()}
            if len(final_ids):
                if self.before_reset is not None:
                    self.before_reset(final_ids)
                self._episode[final_ids] += 1
                self._begin(final_ids)
                for key, value in self._observe(final_ids).items():
                    obs[key][final_ids] = value
        return StepBatch(obs, reward, terminated, truncated, final_ids, final_obs, info)

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        """See `BatchEnv.episode_keys`."""
        return {"world": self._first_world + np.arange(self.num_worlds), "episode": self._episode.copy()}

    def privileged(self) -> Obs:
        """See `BatchEnv.privileged`."""
        return {key: np.array(value) for key, value in self.task.privileged(self.engine, self._memory).items()}

    def world_state(self) -> NDArray[np.float64]:
        """See `BatchEnv.world_state`."""
        return self.engine.get_state()

    def model_values(self) -> dict[str, Array]:
        """See `BatchEnv.model_values`."""
        return {key: np.array(value) for key, value in self.engine.model_values().items()}

    @property
    def compute_reward(self) -> Callable[[Array, Array, object], Array]:
        """The reward as a function of achieved and desired goals; only goal-conditioned tasks have it."""
        function: Callable[[Array, Array, object], Array] = self.task.compute_reward  # type: ignore[attr-defined]
        return function

    def expert(self) -> Policy | None:
        """See `BatchEnv.expert`."""
        return self.task.expert()

    def render_frames(self, camera: str | None = None, *, width: int, height: int, world: int = 0) -> NDArray[np.uint8]:
        """See `BatchEnv.render_frames`."""
        name = camera or self.task.spec.viewer_camera
        if name not in self.spec.camera_names:
            raise UnknownNameError("camera", name, self.spec.camera_names)
        viewer = (name, width, height)
        if viewer not in self._viewers:
            spec = CameraSpec(name=name, width=width, height=height)
            self._viewers[viewer] = make_renderer(self.config.renderer, self.engine, (spec,), (f"rgb_{name}",))
        pictures = self._viewers[viewer].render(np.array([world]))
        return np.array(pictures[f"rgb_{name}"][0], np.uint8)

    def get_state(self) -> Tree:
        """See `BatchEnv.get_state`."""
        return {
            "seed": self.worlds.seed,
            "physics": np.array(self.engine.get_state()),
            "model_values": self.model_values(),
            "memory": {key: np.array(value) for key, value in self._memory.items()},
            "first_world": self._first_world,
            "episode": self._episode.copy(),
            "elapsed": self._elapsed.copy(),
        }

    def set_state(self, state: Tree) -> None:
        """See `BatchEnv.set_state`.

        Raises:
            UserError: if it is the state of another number of worlds.
        """
        if len(state["episode"]) != self.num_worlds:
            raise UserError(f"the state holds {len(state['episode'])} worlds, the environment {self.num_worlds}")
        everyone = np.arange(self.num_worlds)
        for field, values in state["model_values"].items():
            self.engine.randomise(field, values, everyone)
        self.engine.set_state(state["physics"])
        for key, value in state["memory"].items():
            self._memory[key][...] = value
        self.worlds = replace(self.worlds, seed=int(state["seed"]))
        self._first_world = int(state["first_world"])
        self._episode[:] = state["episode"]
        self._elapsed[:] = state["elapsed"]
        self._begun = True

    def close(self) -> None:
        """See `BatchEnv.close`."""
        for renderer in [self._renderer, *self._viewers.values()]:
            if renderer is not None:
                renderer.close()
        self._renderer, self._viewers = None, {}
        self.engine.close()

    def _simulate(self, action: NDArray[np.float32]) -> tuple[Outcome, NDArray[np.bool_]]:
        task, engine = self.task, self.engine
        before = engine.get_state()
        ctrl = task.control(engine, action, self._memory)
        recorded = engine.step(ctrl, task.spec.num_substeps, task.spec.record)
        diverged = np.array(engine.diverged)
        if not diverged.any():
            return task.outcome(engine, action, recorded, self._memory), diverged
        lost = np.flatnonzero(diverged)
        engine.set_state(before[lost], lost)
        recorded = {key: np.nan_to_num(value) for key, value in recorded.items()}
        return _forfeited(task.outcome(engine, action, recorded, self._memory), diverged), diverged

    def _begin(self, ids: NDArray[np.int64]) -> None:
        self._elapsed[ids] = 0
        for value in self._memory.values():
            value[ids] = 0
        draws = self._ahead.draws(self.worlds, self._first_world, self._episode, ids)
        self.engine.reset(ids)
        self.task.reset(self.engine, ids, draws, self._memory)
        self.engine.forward(ids)

    def _observe(self, ids: NDArray[np.int64] | None) -> Obs:
        vectors = self.task.observe(self.engine, self._memory)
        pictures = self._pictures(ids)
        rows = slice(None) if ids is None else ids
        return {
            key: pictures[key] if key in pictures else np.array(vectors[key][rows], np.float32) for key in self._keys
        }

    def _pictures(self, ids: NDArray[np.int64] | None) -> Obs:
        if self._renderer is None:
            return {}
        start = time.perf_counter()
        pictures = self._renderer.render(ids)
        self.perf["render"] += time.perf_counter() - start
        return pictures

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Adds the time within, less what pictures take of it, to `perf["simulate"]`."""
        start = time.perf_counter() - self.perf["render"]
        yield
        self.perf["simulate"] += time.perf_counter() - self.perf["render"] - start

    def _chosen_keys(self, keys: tuple[str, ...] | None) -> tuple[str, ...]:
        if keys is None:
            return self.task.spec.default_observation
        if not keys:
            raise UserError("env.observations must name at least one observation")
        cameras = [camera.name for camera in self._cameras]
        known = [*self.task.spec.vectors, *(f"{modality}_{name}" for name in cameras for modality in MODALITIES)]
        for key in keys:
            if key not in known:
                raise UnknownNameError("observation", key, known)
        return keys

    def _make_renderer(self) -> Renderer | None:
        picture_keys = tuple(key for key in self._keys if key not in self.task.spec.vectors)
        if not picture_keys:
            return None
        return make_renderer(self.config.renderer, self.engine, self._cameras, picture_keys)

    def _make_spec(self) -> EnvSpec:
        task = self.task.spec
        sizes = {camera.name: camera for camera in self._cameras}
        drawn = {split_key(key)[1] for key in self._keys if key not in task.vectors}
        render = None
        if self._renderer is not None:
            cameras = tuple(camera for camera in self._cameras if camera.name in drawn)
            render = RenderSpec(renderer=self._renderer.name, version=self._renderer.version, cameras=cameras)
        return EnvSpec(
            id=self.config.id,
            control_hz=task.control_hz,
            max_episode_steps=task.max_episode_steps,
            observation={key: task.vectors.get(key) or _picture_spec(key, sizes) for key in self._keys},
            action=task.action,
            privileged=task.privileged,
            reward_terms=tuple(task.reward_weights),
            metrics=task.metrics,
            camera_names=tuple(sizes),
            render=render,
            commands=task.commands,
        )


def _info(outcome: Outcome, diverged: NDArray[np.bool_]) -> Obs:
    """Copies what is told of the step: a task may answer with views of its memory, which the next episode resets."""
    return {
        "success": np.array(outcome.success, bool),
        "is_success": np.array(outcome.success, bool),
        "diverged": diverged,
        **{f"reward/{name}": np.array(value) for name, value in outcome.terms.items()},
        **{f"metric/{name}": np.array(value) for name, value in outcome.metrics.items()},
    }


def _forfeited(outcome: Outcome, diverged: NDArray[np.bool_]) -> Outcome:
    """Takes everything from the worlds whose physics diverged."""
    return Outcome(
        terms={name: np.where(diverged, 0, value).astype(np.float32) for name, value in outcome.terms.items()},
        terminated=outcome.terminated & ~diverged,
        success=outcome.success & ~diverged,
        metrics={name: np.where(diverged, 0, value).astype(np.float32) for name, value in outcome.metrics.items()},
    )


def _picture_spec(key: str, cameras: dict[str, CameraSpec]) -> ArraySpec:
    modality, name = split_key(key)
    size = (cameras[name].height, cameras[name].width)
    if modality == "rgb":
        return ArraySpec(shape=(*size, 3), dtype="uint8", low=0, high=255)
    if modality == "depth":
        return ArraySpec(shape=(*size, 1), dtype="float32", low=0)
    return ArraySpec(shape=(*size, 1), dtype="int32", low=-1)


def _sized(cameras: tuple[CameraSpec, ...], size: tuple[int, int] | None) -> tuple[CameraSpec, ...]:
    if size is None:
        return cameras
    return tuple(replace(camera, width=size[0], height=size[1]) for camera in cameras)
