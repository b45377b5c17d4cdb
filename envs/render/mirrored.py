"""Draws the worlds of one engine in another that the renderer knows how to draw: states and model values are copied."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Obs
from robossl.envs.render.renderer import Renderer


class MirroredRenderer:
    """See `Renderer`.

    Args:
        base: draws `stage`'s worlds.
        source: the engine whose worlds are to be drawn; only read.
        stage: another engine of the same model; where it is the source's own `books`, it has its model values.
    """

    def __init__(self, base: Renderer, source: Any, stage: Any) -> None:
        self.name, self.version, self.modalities = base.name, base.version, base.modalities
        self._base, self._source, self._stage = base, source, stage
        self._has_values = getattr(source, "books", None) is stage
        self._seen = np.zeros(source.num_worlds, np.int64)

    def render(self, ids: NDArray[np.int64] | None = None) -> Obs:
        """See `Renderer.render`."""
        rows = np.arange(self._source.num_worlds) if ids is None else np.asarray(ids, np.int64)
        changed = rows[self._seen[rows] != self._source.model_version[rows]]
        if len(changed) and not self._has_values:
            for field, values in self._source.model_values().items():
                self._stage.randomise(field, values[changed], changed)
        self._seen[changed] = self._source.model_version[changed]
        self._stage.set_state(self._source.get_state()[rows], rows)
        return self._base.render(ids)

    def close(self) -> None:
        """See `Renderer.close`."""
        self._base.close()
