"""The environment: an engine, a task and a renderer, stepped as N worlds."""

import os
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CameraSpec, Draws, EnvSpec, Obs, Policy, RenderSpec, StepBatch, Tree
from robossl.core.errors import UnknownNameError, UserError
from robossl.core.specs import MODALITIES
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render import make_renderer
from robossl.envs.render.renderer import Renderer
from robossl.envs.task import Task


class TaskEnv:
    """Steps N worlds of a task; a world that ends begins its next episode in the same step.

    What an episode is depends on (seed, stream, world, episode) alone, never on the number of worlds or threads.
    """

    def __init__(self, task: Task, config: EnvConfig, worlds: WorldSeed) -> None:
        self.task, self.config, self.worlds = task, config, worlds
        self.num_worlds = config.num_worlds
        self.engine = MujocoEngine(task.build_model(), config.num_worlds, config.num_threads or os.cpu_count() or 1)
        self._cameras = _sized(task.spec.cameras, config.image_size)
        self._keys = self._chosen_keys(config.observations or task.spec.default_observation)
        self._renderer = self._make_renderer()
        self._viewers: dict[tuple[str, int, int], Renderer] = {}
        self.spec = self._make_spec()
        self._memory = task.new_memory(self.num_worlds)
        self._first_world = 0
        self._episode = np.zeros(self.num_worlds, np.int64)
        self._elapsed = np.zeros(self.num_worlds, np.int64)

    def reset(self, *, first_world: int = 0) -> Obs:
        """See `BatchEnv.reset`."""
        self._first_world = first_world
        self._episode[:] = 0
        self._begin(np.arange(self.num_worlds))
        return self._observe(None)

    def step(self, action: Array) -> StepBatch:
        """See `BatchEnv.step`."""
        task, engine = self.task, self.engine
        action = checked_action(action, (self.num_worlds, *task.spec.action.shape))
        ctrl = task.control(engine, action, self._memory)
        recorded = engine.step(ctrl, task.spec.num_substeps, task.spec.record)
        outcome = task.outcome(engine, action, recorded, self._memory)
        self._elapsed += 1
        diverged = engine.diverged
        terminated = np.asarray(outcome.terminated, bool) & ~diverged
        truncated = (diverged | (self._elapsed >= task.spec.max_episode_steps)) & ~terminated
        reward = np.zeros(self.num_worlds, np.float32)
        for name, weight in task.spec.reward_weights.items():
            reward += np.float32(weight) * np.where(diverged, np.float32(0), outcome.terms[name])
        info = self._info(outcome.terms, outcome.metrics, outcome.success, diverged)
        final_ids = np.flatnonzero(terminated | truncated)
        obs = self._observe(None)
        final_obs = {key: np.nan_to_num(value[final_ids]) for key, value in obs.items()}
        if len(final_ids):
            self._episode[final_ids] += 1
            self._begin(final_ids)
            for key, value in self._observe(final_ids).items():
                obs[key][final_ids] = value
        return StepBatch(obs, reward, terminated, truncated, final_ids, final_obs, info)

    def privileged(self) -> Obs:
        """See `BatchEnv.privileged`."""
        return self.task.privileged(self.engine, self._memory)

    def world_state(self) -> NDArray[np.float64]:
        """See `BatchEnv.world_state`."""
        return self.engine.get_state()

    def model_values(self) -> dict[str, Array]:
        """See `BatchEnv.model_values`."""
        return self.engine.model_values()

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        """Returns {"world": [N], "episode": [N]}: with seed and stream they name the running episodes."""
        return {"world": self._first_world + np.arange(self.num_worlds), "episode": self._episode.copy()}

    def expert(self) -> Policy | None:
        """See `BatchEnv.expert`."""
        return self.task.expert()

    def render_frames(self, camera: str | None = None, *, width: int, height: int) -> NDArray[np.uint8]:
        """See `BatchEnv.render_frames`."""
        name = camera or self.task.spec.viewer_camera
        if name not in self.spec.camera_names:
            raise UnknownNameError("camera", name, self.spec.camera_names)
        key = (name, width, height)
        if key not in self._viewers:
            spec = CameraSpec(name=name, width=width, height=height)
            self._viewers[key] = make_renderer(self.config.renderer, self.engine, (spec,), (f"rgb_{name}",))
        return np.asarray(self._viewers[key].render(np.zeros(1, np.int64))[f"rgb_{name}"][0])

    def get_state(self) -> Tree:
        """See `BatchEnv.get_state`."""
        return {
            "physics": self.engine.get_state(),
            "model_values": {key: np.array(value) for key, value in self.engine.model_values().items()},
            "memory": {key: np.array(value) for key, value in self._memory.items()},
            "first_world": self._first_world,
            "episode": self._episode.copy(),
            "elapsed": self._elapsed.copy(),
        }

    def set_state(self, state: Tree) -> None:
        """See `BatchEnv.set_state`."""
        everyone = np.arange(self.num_worlds)
        for field, values in state["model_values"].items():
            self.engine.randomise(field, values, everyone)
        self.engine.set_state(state["physics"])
        for key, value in state["memory"].items():
            self._memory[key][...] = value
        self._first_world = int(state["first_world"])
        self._episode[:] = state["episode"]
        self._elapsed[:] = state["elapsed"]

    def close(self) -> None:
        """See `BatchEnv.close`."""
        for renderer in [self._renderer, *self._viewers.values()]:
            if renderer is not None:
                renderer.close()
        self.engine.close()

    def _begin(self, ids: NDArray[np.int64]) -> None:
        self._elapsed[ids] = 0
        draws = Draws(self.worlds.seed, self.worlds.stream, self._first_world + ids, self._episode[ids])
        self.engine.reset(ids)
        self.task.reset(self.engine, ids, draws, self._memory)
        self.engine.forward(ids)

    def _observe(self, ids: NDArray[np.int64] | None) -> Obs:
        vectors = self.task.observe(self.engine, self._memory)
        pictures = self._renderer.render(ids) if self._renderer is not None else {}
        rows = slice(None) if ids is None else ids
        return {key: pictures[key] if key in pictures else vectors[key][rows] for key in self._keys}

    def _info(self, terms: dict[str, Array], metrics: dict[str, Array], success: Array, diverged: Array) -> Obs:
        success = np.asarray(success, bool) & ~diverged
        return {
            "success": success,
            "is_success": success,
            "diverged": diverged,
            **{f"reward/{name}": value for name, value in terms.items()},
            **{f"metric/{name}": value for name, value in metrics.items()},
        }

    def _chosen_keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
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
        observation = {
            key: task.vectors[key] if key in task.vectors else picture_spec(key, sizes) for key in self._keys
        }
        used = {key.partition("_")[2] for key in self._keys if key not in task.vectors}
        cameras = tuple(camera for camera in self._cameras if camera.name in used)
        render = self._renderer and RenderSpec(
            renderer=self._renderer.name, version=self._renderer.version, cameras=cameras
        )
        return EnvSpec(
            id=self.config.id,
            control_hz=task.control_hz,
            max_episode_steps=task.max_episode_steps,
            observation=observation,
            action=task.action,
            privileged=task.privileged,
            reward_terms=tuple(task.reward_weights),
            metrics=task.metrics,
            camera_names=tuple(sizes),
            render=render,
        )


def checked_action(action: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Returns the action as float32, clipped to [-1, 1].

    Raises:
        ValueError: if it has another shape or an element that is not finite.
    """
    values = np.asarray(action, np.float32)
    if values.shape != shape:
        raise ValueError(f"action has shape {list(values.shape)}, expected {list(shape)}")
    if not np.isfinite(values).all():
        worlds = np.flatnonzero(~np.isfinite(values).all(axis=-1))
        raise ValueError(f"action is not finite in world(s) {worlds[:5].tolist()}")
    return np.clip(values, -1.0, 1.0)


def picture_spec(key: str, cameras: dict[str, CameraSpec]) -> ArraySpec:
    """Returns the spec of the picture `key`, such as 'rgb_front'."""
    modality, _, name = key.partition("_")
    size = (cameras[name].height, cameras[name].width)
    if modality == "rgb":
        return ArraySpec(shape=(*size, 3), dtype="uint8", low=0, high=255)
    if modality == "depth":
        return ArraySpec(shape=(*size, 1), dtype="float32", low=0)
    if modality == "segmentation":
        return ArraySpec(shape=(*size, 1), dtype="int32", low=-1)
    raise UserError(f"unknown modality {modality!r} of observation {key!r}")


def _sized(cameras: tuple[CameraSpec, ...], size: tuple[int, int] | None) -> tuple[CameraSpec, ...]:
    if size is None:
        return cameras
    return tuple(replace(camera, width=size[0], height=size[1]) for camera in cameras)
