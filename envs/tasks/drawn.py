"""All random numbers of an episode's layout in one call: the call is what costs."""

import math
from collections.abc import Mapping
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from robossl.core import Draws


class DrawnTogether:
    """Draws several arrays at once.

    Args:
        shapes: {name: shape} of an episode's numbers.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        counts = [math.prod(shape) for shape in shapes.values()]
        ends = list(accumulate(counts))
        self._num, self._shapes = ends[-1], dict(shapes)
        self._parts = {name: slice(end - count, end) for name, count, end in zip(shapes, counts, ends, strict=True)}

    def draw(self, draws: Draws) -> dict[str, NDArray[np.float64]]:
        """Returns {name: [n, ...]} in [0, 1), parts of one array."""
        unit = draws.uniform(shape=(self._num,))
        return {name: unit[:, part].reshape(-1, *self._shapes[name]) for name, part in self._parts.items()}
