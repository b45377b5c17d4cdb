"""Frictions of geoms from frictions of pairs.

MuJoCo gives a pair of geoms the greater of their frictions (or those of the one with priority); Bullet multiplies the
two colliders' sliding frictions, and adds their torsional and rolling ones weighted by the other's sliding friction.
What is sought are factors per geom that give MuJoCo's friction for every pair that can touch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError

Floats = NDArray[np.float64]

_LEAST = 1e-9  # stands for zero: factors are sought in the logarithm
_TOLERANCE = 1e-3


class FrictionFactors:
    """Knows the pairs that can touch, and turns their frictions into geoms' factors.

    Args:
        model: the compiled model.
        pairs: [P, 2] geoms that can touch.
    """

    def __init__(self, model: Any, pairs: NDArray[np.int64]) -> None:
        self._model, self._pairs = model, pairs
        self._explicit = {
            tuple(sorted((int(a), int(b)))): index
            for index, (a, b) in enumerate(zip(model.pair_geom1, model.pair_geom2, strict=True))
        }
        self._incidence = np.zeros((len(pairs), model.ngeom))
        rows = np.arange(len(pairs))
        self._incidence[rows, pairs[:, 0]] += 1.0
        self._incidence[rows, pairs[:, 1]] += 1.0
        self._inverse = np.linalg.pinv(self._incidence) if len(pairs) else np.zeros((model.ngeom, 0))

    def solve(self, friction: Floats) -> Floats:
        """Returns [ngeom, 3] sliding, torsional (m) and rolling (m) factors for `geom_friction` [ngeom, 3].

        Raises:
            UserError: if no factors give a pair its friction.
        """
        wanted = self.of_pairs(friction)
        factors = np.zeros((self._model.ngeom, 3))
        factors[:, 0] = np.exp(self._inverse @ np.log(np.maximum(wanted[:, 0], _LEAST)))
        first, second = self._pairs.T
        self._require(wanted[:, 0], factors[first, 0] * factors[second, 0], "sliding")
        for column, name in ((1, "torsional"), (2, "rolling")):
            if wanted[:, column].any():
                factors[:, column] = self._weighted(wanted[:, column], factors[:, 0])
                a, b = factors[first, column] * factors[second, 0], factors[second, column] * factors[first, 0]
                self._require(wanted[:, column], a + b, name)
        return factors

    def of_pairs(self, friction: Floats) -> Floats:
        """Returns MuJoCo's sliding, torsional and rolling friction [P, 3] of every pair that can touch."""
        model = self._model
        first, second = self._pairs.T
        priority = model.geom_priority
        greater = np.maximum(friction[first], friction[second])
        ahead = (priority[first] - priority[second])[:, None]
        wanted = np.where(ahead > 0, friction[first], np.where(ahead < 0, friction[second], greater))
        condim = np.maximum(model.geom_condim[first], model.geom_condim[second])
        condim = np.where(ahead[:, 0] > 0, model.geom_condim[first], condim)
        condim = np.where(ahead[:, 0] < 0, model.geom_condim[second], condim)
        for row, pair in enumerate(self._pairs.tolist()):
            if tuple(pair) in self._explicit:
                index = self._explicit[tuple(pair)]
                wanted[row], condim[row] = model.pair_friction[index][[0, 2, 3]], model.pair_dim[index]
        return np.asarray(wanted * (condim[:, None] >= np.array([3, 4, 6])))

    def _weighted(self, wanted: Floats, sliding: Floats) -> Floats:
        """Returns factors [ngeom] whose sum over a pair, each times the other's sliding factor, is `wanted` [P]."""
        first, second = self._pairs.T
        weights = np.zeros_like(self._incidence)
        rows = np.arange(len(self._pairs))
        weights[rows, first] += sliding[second]
        weights[rows, second] += sliding[first]
        return np.asarray(np.linalg.lstsq(weights, wanted, rcond=None)[0])

    def _require(self, wanted: Floats, found: Floats, kind: str) -> None:
        off = np.abs(found - wanted) > _TOLERANCE * wanted + 2 * _LEAST
        if off.any():
            row = int(np.flatnonzero(off)[0])
            first, second = (self._model.geom(geom).name or geom for geom in self._pairs[row].tolist())
            raise UserError(
                f"engine bullet: the {kind} friction {wanted[row]:.4g} between geoms {first!r} and {second!r} cannot be"
                " translated: Bullet multiplies the frictions of two geoms, and no factors give every pair its own"
            )
