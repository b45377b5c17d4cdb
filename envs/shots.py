"""Cameras that are drawn together, at every decision or only when a new picture of them is due."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robossl.core import Obs
from robossl.envs.render.renderer import Renderer, split_key
from robossl.envs.sensor_model import SensorModel


@dataclass(slots=True)
class Shots:
    """Draws some of an engine's cameras.

    Attributes:
        renderer: of these cameras' pictures.
        models: of the sensors that take samples of them; empty where all worlds are drawn at every decision.
        control_hz: decisions a second.
    """

    renderer: Renderer
    models: tuple[SensorModel, ...] = ()
    control_hz: float = 0.0
    _newest: Obs = field(default_factory=dict)

    def draw(self, ids: NDArray[np.int64] | None, decisions: NDArray[np.int64]) -> Obs:
        """Returns pictures {key: [n, H, W, C]} of the worlds `ids`, or of all.

        Of all, the pictures of worlds where no sample is due may be old ones.

        Args:
            ids: [n]; None for all.
            decisions: [N] made in their episodes.
        """
        if ids is not None or not self.models:
            return self.renderer.render(ids)
        due = np.flatnonzero(np.any([model.is_due(decisions, self.control_hz) for model in self.models], axis=0))
        if len(due) == len(decisions) or not self._newest:
            self._newest = self.renderer.render()
        elif len(due):
            for key, value in self.renderer.render(due).items():
                self._newest[key][due] = value
        return {key: value.copy() for key, value in self._newest.items()}


def together(
    keys: tuple[str, ...], models: dict[str, SensorModel], control_hz: float
) -> dict[tuple[SensorModel, ...], tuple[str, ...]]:
    """Sorts pictures into those that are drawn together: whole cameras whose samples are due at the same decisions.

    Args:
        keys: of pictures.
        models: {key: model} of sensors; those that are not named take a sample at every decision.
        control_hz: decisions a second.

    Returns:
        {models that tell when: keys}; no models where it is at every decision.
    """
    rates: dict[str, set[float]] = {}
    for key in keys:
        rate = models[key].rate_hz if key in models else None
        rates.setdefault(split_key(key)[1], set()).add(control_hz if rate is None else min(rate, control_hz))
    groups: dict[tuple[SensorModel, ...], tuple[str, ...]] = {}
    for key in keys:
        own = rates[split_key(key)[1]]
        when = () if control_hz in own else tuple(SensorModel(rate_hz=rate) for rate in sorted(own))
        groups[when] = (*groups.get(when, ()), key)
    return groups
