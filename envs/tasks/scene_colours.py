"""Colours and light that differ from episode to episode: shifts of what the model has."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

RANDOM_FIELDS = ("geom_rgba", "light_diffuse")
_LIGHT = (0.2, 0.4)

Floats = NDArray[np.float64]


class SceneColours:
    """Knows which geoms of a model share a colour, and how far each may shift.

    Attributes:
        num: of colours.

    Args:
        model: compiled, with one light.
        shift: {first part of a geom's name: how far its colour shifts}.
        colour_of: returns what shares a colour with the geom of a name.
    """

    def __init__(self, model: Any, shift: Mapping[str, float], colour_of: Callable[[str], str]) -> None:
        names = [model.geom(index).name for index in range(model.ngeom)]
        colours = list(dict.fromkeys(map(colour_of, names)))
        self.num = len(colours)
        self._colour = np.array([colours.index(colour_of(name)) for name in names])
        self._shift = np.array([shift[name.partition("_")[0]] for name in names])[:, None]
        self._rgba = model.geom_rgba.copy()

    def draw(self, colour: Floats, light: Floats) -> dict[str, NDArray[np.float32]]:
        """Returns `RANDOM_FIELDS`, from numbers in [0, 1).

        Args:
            colour: [n, num, 3].
            light: [n, 1].
        """
        rgba = np.repeat(self._rgba[None], len(colour), axis=0)
        rgba[..., :3] += self._shift * (2 * colour.take(self._colour, axis=1) - 1)
        diffuse = np.repeat(_LIGHT[0] + (_LIGHT[1] - _LIGHT[0]) * light, 3, axis=1)[:, None]
        values = (np.clip(rgba, 0.0, 1.0, out=rgba), diffuse)
        return {field: value.astype(np.float32) for field, value in zip(RANDOM_FIELDS, values, strict=True)}
