"""Rays of laser scanners: cast shape by shape where all shapes are known to the caster, else by MuJoCo one by one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.casting.caster import Caster
from robossl.envs.casting.fan import beam_fan
from robossl.envs.casting.shapes import can_cast
from robossl.envs.mujoco_fields import VISIBLE_GROUPS


class Scanner:
    """Answers `Engine.scan` for the worlds of a `MujocoEngine`."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._caster = Caster(engine) if can_cast(engine.model) else None

    def scan(
        self,
        start: Array,
        axes: Array,
        directions: NDArray[np.float64],
        ids: NDArray[np.int64],
        *,
        hidden_body: int,
        least_m: float,
    ) -> Array:
        """See `Engine.scan`: visible are the geom groups 0-2.

        Raises:
            IndexError: if there is no such world.
        """
        if len(ids) and not 0 <= ids.min() <= ids.max() < self._engine.num_worlds:
            raise IndexError(f"worlds are 0 to {self._engine.num_worlds - 1}, got {ids.tolist()}")
        start = np.broadcast_to(np.asarray(start, np.float64), (len(ids), 3))
        axes = np.broadcast_to(np.asarray(axes, np.float64), (len(ids), 3, 3))
        if self._caster is None:
            direction = np.matmul(directions, axes.transpose(0, 2, 1))
            others = {"geomgroup": VISIBLE_GROUPS, "bodyexclude": hidden_body, "ids": ids}
            distance = self._engine.batch.ray(pnt=start[:, None] + least_m * direction, vec=direction, **others)[0]
            return np.where(distance >= 0, distance + least_m, -1.0)
        found = np.empty((len(ids), len(directions))), np.empty((len(ids), len(directions)), np.int32)
        self._caster.refresh(ids)
        fan = beam_fan(directions)
        self._caster.cast(fan, ids, (start, axes), found, hidden_body=hidden_body, least_m=least_m)
        return found[0]
