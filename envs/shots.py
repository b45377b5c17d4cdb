"""Cameras that are drawn together, at every decision or only when a new picture of them is due."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import CameraSpec, Obs, RenderSpec
from robossl.envs.render import start_renderer
from robossl.envs.render.poses import LastPoses
from robossl.envs.render.renderer import Renderer, is_flow, split_key
from robossl.envs.sensor_model import SensorModel


@dataclass(slots=True)
class Shots:
    """Draws some of an engine's cameras.

    Attributes:
        renderer: of these cameras' pictures.
        keys: of these pictures.
        last: where everything was when these pictures were taken last, if one of them is of flow.
        models: of the sensors that take samples of them; empty where all worlds are drawn at every decision.
        control_hz: decisions a second.
    """

    renderer: Renderer
    keys: tuple[str, ...]
    last: LastPoses | None = None
    models: tuple[SensorModel, ...] = ()
    control_hz: float = 0.0
    _newest: Obs = field(default_factory=dict)

    def keep(self, ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> None:
        """Takes note of where everything is in those of the worlds `ids`, or of all, where a sample is due now.

        Args:
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        if self.last is None:
            return
        if not self.models:
            self.last.keep(ids)
            return
        due = self._due(decisions)
        self.last.keep(due if ids is None else ids[np.isin(ids, due)])

    def draw(self, ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> Obs:
        """Returns pictures {key: [n, H, W, C]} of the worlds `ids`, or of all.

        Of all, the pictures of worlds where no sample is due may be old ones.

        Args:
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        if ids is not None or not self.models:
            return self.renderer.render(ids)
        due = self._due(decisions)
        if len(due) == len(decisions) or not self._newest:
            self._newest = self.renderer.render()
        elif len(due):
            for key, value in self.renderer.render(due).items():
                self._newest[key][due] = value
        return {key: value.copy() for key, value in self._newest.items()}

    def newest_before(self, decisions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns which row [T] a sample was taken at before each; at an episode's first decision, that one itself.

        Args:
            decisions: [T] of episodes, one after the other, each from 0 on.
        """
        rows = np.arange(len(decisions))
        is_due = self._is_due(decisions) if self.models else np.ones(len(rows), bool)
        newest = np.maximum.accumulate(np.where(is_due, rows, 0))
        return np.where(decisions == 0, rows, newest[rows - 1])

    def _due(self, decisions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the worlds where a sample is due."""
        return np.flatnonzero(self._is_due(decisions))

    def _is_due(self, decisions: NDArray[np.int64]) -> NDArray[np.bool_]:
        due = [model.is_due(decisions, self.control_hz) for model in self.models]
        return np.asarray(np.any(due, axis=0))


def start_shots(
    renderer: str,
    engine: Any,
    cameras: tuple[CameraSpec, ...],
    groups: dict[tuple[SensorModel, ...], tuple[str, ...]],
    control_hz: float,
) -> list[Shots]:
    """Starts what draws groups of pictures; where one cannot be drawn, none stays open.

    Args:
        renderer: its name.
        engine: whose worlds.
        cameras: with their picture sizes.
        groups: as `together` returns them.
        control_hz: decisions a second.
    """
    shots: list[Shots] = []
    try:
        for when, keys in groups.items():
            last = LastPoses(engine) if any(map(is_flow, keys)) else None
            shots.append(Shots(start_renderer(renderer, engine, cameras, keys, last), keys, last, when, control_hz))
    except BaseException:
        close_shots(shots)
        raise
    return shots


def close_shots(shots: list[Shots]) -> None:
    """Frees threads and graphics contexts."""
    for one in shots:
        one.renderer.close()


def render_spec(shots: list[Shots], cameras: tuple[CameraSpec, ...]) -> RenderSpec:
    """Tells who draws which of the cameras; shots are some."""
    drawn = {split_key(key)[1] for one in shots for key in one.keys}
    renderer = shots[0].renderer
    used = tuple(camera for camera in cameras if camera.name in drawn)
    return RenderSpec(renderer=renderer.name, version=renderer.version, cameras=used)


def together(
    keys: tuple[str, ...], models: dict[str, SensorModel], control_hz: float
) -> dict[tuple[SensorModel, ...], tuple[str, ...]]:
    """Sorts pictures into those that are drawn together: whole cameras whose samples are due at the same decisions.

    Flow with a rate of its own is drawn with nothing slower or faster: it shows what has moved since its last sample.

    Args:
        keys: of pictures.
        models: {key: model} of sensors; those that are not named take a sample at every decision.
        control_hz: decisions a second.

    Returns:
        {models that tell when: keys}; no models where it is at every decision.
    """
    own_rates = {key: models[key].rate_hz or control_hz if key in models else control_hz for key in keys}
    drawn = {key: key if is_flow(key) and own_rates[key] < control_hz else split_key(key)[1] for key in keys}
    rates: dict[str, set[float]] = {}
    for key in keys:
        rates.setdefault(drawn[key], set()).add(min(own_rates[key], control_hz))
    groups: dict[tuple[SensorModel, ...], tuple[str, ...]] = {}
    for key in keys:
        own = rates[drawn[key]]
        when = () if control_hz in own else tuple(SensorModel(rate_hz=rate) for rate in sorted(own))
        groups[when] = (*groups.get(when, ()), key)
    return groups
