"""What the cameras of an environment show: its observations, people's videos, random appearances."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, CameraSpec, Draws, Obs, RenderSpec, Tree, UnknownNameError, UserError
from robossl.envs.appearances import Appearances
from robossl.envs.config import EnvConfig
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.observable import picture_keys, require_still_pictures
from robossl.envs.randomiser import ALL, switched_on
from robossl.envs.render import start_renderer
from robossl.envs.render.poses import LastPoses
from robossl.envs.render.renderer import Renderer, is_flow
from robossl.envs.sensor_model import SensorModel
from robossl.envs.shots import Shots, close_shots, render_spec, start_shots, together
from robossl.envs.task import Task
from robossl.envs.viewers import Viewers


class Pictures:
    """Draws an engine's worlds; the engine is only read.

    Args:
        engine: whose worlds.
        config: how they are drawn.
        cameras: with their picture sizes.
        keys: all that is observed; what is no picture is passed over.
        task: whose they are.

    Attributes:
        seconds: that observed pictures have taken.
    """

    def __init__(
        self,
        engine: MujocoEngine,
        config: EnvConfig,
        cameras: tuple[CameraSpec, ...],
        keys: tuple[str, ...],
        task: Task,
    ) -> None:
        self._engine, self._config, self._cameras, self._task = engine, config, cameras, task
        self._looks = {name: entry for name, entry in task.spec.randomisations.items() if entry.is_visual}
        self._keys = tuple(key for key in keys if key in picture_keys(cameras))
        self._shots = self._start({(): self._keys} if self._keys else {})
        self._viewers = Viewers[Renderer]()
        self._appearances: dict[tuple[str, ...], Appearances] = {}
        self.seconds = 0.0

    @property
    def spec(self) -> RenderSpec | None:
        """Tells who draws what; None where no picture is observed."""
        return render_spec(self._shots, self._cameras) if self._shots else None

    def spare(self, models: dict[str, SensorModel], control_hz: float) -> None:
        """Draws cameras from now on only in worlds where a sensor takes a sample of them; else their pictures are old.

        Args:
            models: {key: model} of the sensors that take samples; of other pictures one is taken at every decision.
            control_hz: decisions a second.
        """
        groups = together(self._keys, models, control_hz)
        if any(groups):
            close_shots(self._shots)
            self._shots = []
            self._shots = self._start(groups, control_hz)

    def keep(self, ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> None:
        """Takes note of where everything in the worlds `ids`, or in all, is: before every step, and after every reset.

        Args:
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        for shots in self._shots:
            shots.keep(ids, decisions)

    def observe(self, ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> Obs:
        """Returns the observed pictures {key: [n, H, W, C]} of the worlds `ids`, or of all.

        Args:
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        start = time.perf_counter()
        pictures = {key: value for shots in self._shots for key, value in shots.draw(ids, decisions).items()}
        self.seconds += time.perf_counter() - start
        return pictures

    def frame(self, camera: str | None, *, width: int, height: int, world: int) -> NDArray[np.uint8]:
        """Returns one picture [H, W, 3] for people.

        Raises:
            UserError: if there is no such camera, size or world.
        """
        name, names = camera or self._task.spec.viewer_camera, tuple(camera.name for camera in self._cameras)
        if name not in names:
            raise UnknownNameError("camera", name, names)
        if min(width, height) < 1 or not 0 <= world < self._engine.num_worlds:
            raise UserError(f"no picture of {width} x {height} of world {world} in {self._engine.num_worlds}")
        viewer = self._viewers.of((name, width, height), lambda: self._view(name, width, height))
        return np.array(viewer.render(np.array([world]))[f"rgb_{name}"][0], np.uint8)

    def appearances(
        self, num: int, keys: tuple[str, ...], draws: Draws, decisions: NDArray[np.int64]
    ) -> dict[str, Array]:
        """Returns pictures of all worlds under `num` random appearances, {key: [K, N, H, W, C]}.

        Raises:
            UserError: if a key is no picture, or is one of flow, or `num` is no whole number from 1 on.
        """
        if not isinstance(num, int | np.integer):
            raise UserError(f"the number of appearances must be a whole one, got {num!r}")
        if num < 1:
            raise UserError(f"appearances are drawn at least 1 at a time, got {num}")
        if isinstance(keys, str):
            raise UserError(f"keys are several, such as ({keys!r},), got {keys!r}")
        keys = tuple(keys)
        if keys not in self._appearances:
            require_still_pictures(keys, self._cameras)
            asked = {ALL: 1.0, **{name: span for name, span in self._config.randomise.items() if name in self._looks}}
            looks = switched_on(self._looks, asked)
            self._appearances[keys] = Appearances(
                self._engine, self._task, looks, renderer=self._config.renderer, cameras=self._cameras, keys=keys
            )
        return self._appearances[keys].draw(num, draws, decisions)

    def get_state(self) -> Tree | None:
        """Returns where things were at the last pictures that flow is told of, by the first of these; None without."""
        return {key: last.get_state() for key, last in self._flows.items()} or None

    def set_state(self, state: Any) -> None:
        """Puts back what `get_state` returned.

        Raises:
            UserError: if it does not tell of all that moves in these pictures.
        """
        for key, last in self._flows.items():
            if key not in (state or {}):
                raise UserError(f"the state does not tell since when {key} is")
            last.set_state(state[key])

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        close_shots(self._shots)
        self._viewers.close()
        for appearances in self._appearances.values():
            appearances.close()
        self._shots, self._appearances = [], {}

    def _view(self, camera: str, width: int, height: int) -> Renderer:
        spec = next(replace(spec, width=width, height=height) for spec in self._cameras if spec.name == camera)
        return start_renderer(self._config.renderer, self._engine, (spec,), (f"rgb_{camera}",))

    def _start(self, groups: dict[tuple[SensorModel, ...], tuple[str, ...]], control_hz: float = 0.0) -> list[Shots]:
        return start_shots(self._config.renderer, self._engine, self._cameras, groups, control_hz)

    @property
    def _flows(self) -> dict[str, LastPoses]:
        return {next(filter(is_flow, shots.keys)): shots.last for shots in self._shots if shots.last is not None}
