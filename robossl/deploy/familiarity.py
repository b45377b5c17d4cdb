"""How far an observation lies outside what the policy saw in training.

The score is 0 inside the training range and 1 where a number is as far outside as the range is wide, or where half of a
picture's pixels are outside the middle 98 % of their channel's values (of which training had 2 %).
"""

import numpy as np
from numpy.typing import NDArray

from robossl.core.contract import CameraInput, VectorInput

_EXPECTED_SHARE, _HALF = 0.02, 0.5
_LEAST_RELATIVE_WIDTH, _LEAST_WIDTH = 0.1, 1e-2
"""A number that hardly varied in training gets a range of at least this width: a share of its size, or in its unit."""


class Familiarity:
    """Scores one input of the policy.

    Attributes:
        name: of the input.

    Args:
        spec: of the input.
        unscored: names of elements that may be anything.
    """

    def __init__(self, spec: VectorInput | CameraInput, *, unscored: tuple[str, ...] = ()) -> None:
        seen = spec.seen if isinstance(spec, CameraInput) else tuple(element.seen for element in spec.elements)
        self.name, self._is_camera = spec.name, isinstance(spec, CameraInput)
        self._elements = () if isinstance(spec, CameraInput) else tuple(element.name for element in spec.elements)
        ends = [(r.q01, r.q99) if self._is_camera else (r.low, r.high) for r in seen]
        self._low, self._high = np.array(ends, np.float64).T
        if isinstance(spec, VectorInput):
            free = np.array([element.name in unscored for element in spec.elements])
            self._low, self._high = np.where(free, -np.inf, self._low), np.where(free, np.inf, self._high)
        greatest = np.maximum(np.abs(self._low), np.abs(self._high))
        self._width = np.maximum(self._high - self._low, np.maximum(_LEAST_RELATIVE_WIDTH * greatest, _LEAST_WIDTH))

    def score(self, value: NDArray[np.generic]) -> float:
        """Returns the score of a vector [D] or of a frame [H, W, C]."""
        outside = self._outside(value)
        if self._is_camera:
            share = float((outside > 0).mean())
            return max(0.0, share - _EXPECTED_SHARE) / (_HALF - _EXPECTED_SHARE)
        return float(np.max(outside / self._width, initial=0.0))

    def strangest(self, value: NDArray[np.generic]) -> str:
        """Returns the name of what the score is of: the element that is farthest outside, or the picture."""
        return self.name if self._is_camera else self._elements[int(np.argmax(self._outside(value) / self._width))]

    def _outside(self, value: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.asarray(np.maximum(np.maximum(self._low - value, value - self._high), 0.0))
