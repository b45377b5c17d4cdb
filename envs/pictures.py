"""What the cameras of an environment show: its observations, people's videos, random appearances."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, CameraSpec, Draws, Obs, RenderSpec, Tree
from robossl.envs.appearances import Appearances
from robossl.envs.config import EnvConfig
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.observable import picture_keys, require_still_pictures
from robossl.envs.randomisation import AnyRandomisation
from robossl.envs.randomiser import ALL, switched_on
from robossl.envs.render import start_renderer
from robossl.envs.render.poses import LastPoses
from robossl.envs.render.renderer import Renderer, split_key


class Pictures:
    """Draws an engine's worlds; the engine is only read.

    Args:
        engine: whose worlds.
        config: how they are drawn.
        cameras: with their picture sizes.
        keys: all that is observed; what is no picture is passed over.
        randomisations: the task's, of which those of looks are used.

    Attributes:
        are_due: tells of which worlds [N] anybody looks at pictures, from the decisions [N] made in their episodes;
            where set, the others' pictures are old ones.
        seconds: that observed pictures have taken.
    """

    def __init__(
        self,
        engine: MujocoEngine,
        config: EnvConfig,
        cameras: tuple[CameraSpec, ...],
        keys: tuple[str, ...],
        randomisations: dict[str, AnyRandomisation],
    ) -> None:
        self._engine, self._config, self._cameras = engine, config, cameras
        self._looks = {name: entry for name, entry in randomisations.items() if entry.is_visual}
        self._keys = tuple(key for key in keys if key in picture_keys(cameras))
        self._last = LastPoses(engine) if any(key.startswith("flow_") for key in keys) else None
        self._renderer: Renderer | None = None
        if self._keys:
            self._renderer = start_renderer(config.renderer, engine, cameras, self._keys, self._last)
        self._viewers: dict[tuple[str, int, int], Renderer] = {}
        self._appearances: dict[tuple[str, ...], Appearances] = {}
        self._newest: Obs = {}
        self.are_due: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None
        self.seconds = 0.0

    @property
    def spec(self) -> RenderSpec | None:
        """Tells who draws what; None where no picture is observed."""
        if self._renderer is None:
            return None
        drawn = {split_key(key)[1] for key in self._keys}
        cameras = tuple(camera for camera in self._cameras if camera.name in drawn)
        return RenderSpec(renderer=self._renderer.name, version=self._renderer.version, cameras=cameras)

    def keep(self, ids: NDArray[np.int64] | None = None) -> None:
        """Takes note of where everything in the worlds `ids` is: before every step, and after every reset."""
        if self._last is not None:
            self._last.keep(ids)

    def observe(self, ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> Obs:
        """Returns the observed pictures {key: [n, H, W, C]} of the worlds `ids`, or of all.

        Args:
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        if self._renderer is None:
            return {}
        start = time.perf_counter()
        pictures = self._due(decisions) if ids is None and self.are_due is not None else self._renderer.render(ids)
        self.seconds += time.perf_counter() - start
        return pictures

    def frame(self, camera: str, *, width: int, height: int, world: int) -> NDArray[np.uint8]:
        """Returns one picture [H, W, 3] for people."""
        viewer = (camera, width, height)
        if viewer not in self._viewers:
            spec = next(replace(spec, width=width, height=height) for spec in self._cameras if spec.name == camera)
            self._viewers[viewer] = start_renderer(self._config.renderer, self._engine, (spec,), (f"rgb_{camera}",))
        return np.array(self._viewers[viewer].render(np.array([world]))[f"rgb_{camera}"][0], np.uint8)

    def appearances(
        self, num: int, keys: tuple[str, ...], draws: Draws, decisions: NDArray[np.int64]
    ) -> dict[str, Array]:
        """Returns pictures of all worlds under `num` random appearances, {key: [K, N, H, W, C]}.

        Raises:
            UserError: if a key is no picture, or is one of flow.
        """
        if keys not in self._appearances:
            require_still_pictures(keys, self._cameras)
            asked = {ALL: 1.0, **{name: span for name, span in self._config.randomise.items() if name in self._looks}}
            looks = switched_on(self._looks, asked)
            self._appearances[keys] = Appearances(self._engine, looks, self._config.renderer, self._cameras, keys)
        return self._appearances[keys].draw(num, draws, decisions)

    def get_state(self) -> Tree | None:
        """Returns where things were at the last decision, if anybody wants to know."""
        return None if self._last is None else self._last.get_state()

    def set_state(self, state: Any) -> None:
        """Puts back what `get_state` returned."""
        if self._last is not None:
            self._last.set_state(state)

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        for drawing in [self._renderer, *self._viewers.values(), *self._appearances.values()]:
            if drawing is not None:
                drawing.close()
        self._renderer, self._viewers, self._appearances = None, {}, {}

    def _due(self, decisions: NDArray[np.int64]) -> Obs:
        """Draws the worlds that are looked at, and gives out old pictures of the others."""
        assert self._renderer is not None
        assert self.are_due is not None
        due = np.flatnonzero(self.are_due(decisions))
        if len(due) == len(decisions) or not self._newest:
            self._newest = self._renderer.render()
        elif len(due):
            for key, value in self._renderer.render(due).items():
                self._newest[key][due] = value
        return {key: value.copy() for key, value in self._newest.items()}
