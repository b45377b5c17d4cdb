"""Colours and light that differ from episode to episode: shifts of what the model has."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled

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
        self._shift = np.array([shift[name.partition("_")[0]] for name in names])
        self._rgba = model.geom_rgba.copy()

    def draw(self, colour: Floats, light: Floats) -> dict[str, NDArray[np.float32]]:
        """Returns `RANDOM_FIELDS`, from numbers in [0, 1).

        Args:
            colour: [n, num, 3].
            light: [n, 1].
        """
        rgba = np.empty((len(colour), *self._rgba.shape), np.float32)
        _shift(self._rgba, self._colour, self._shift, colour, rgba)
        diffuse = np.repeat(_LIGHT[0] + (_LIGHT[1] - _LIGHT[0]) * light, 3, axis=1)[:, None]
        return dict(zip(RANDOM_FIELDS, (rgba, diffuse.astype(np.float32)), strict=True))


@compiled
def _shift(rgba: Array, index: Array, shift: Array, unit: Array, out: Array) -> None:
    """Fills `out` [n, G, 4] with colours [G, 4] moved by up to `shift` [G] as numbers [n, num, 3] in [0, 1) say."""
    for row in range(len(out)):
        for geom in range(len(rgba)):
            out[row, geom, 3] = rgba[geom, 3]
            for channel in range(3):
                value = rgba[geom, channel] + shift[geom] * (2 * unit[row, index[geom], channel] - 1)
                out[row, geom, channel] = min(max(value, 0.0), 1.0)
