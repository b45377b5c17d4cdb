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
        self._caster = Caster(engine, is_picture=False) if can_cast(engine.model) else None

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
            begin, others = start[:, None] + least_m * direction, {"bodyexclude": hidden_body}
            distance = ray_by_ray(self._engine.batch, ids, begin, direction, geomgroup=VISIBLE_GROUPS, **others)[0]
            return np.where(distance >= 0, distance + least_m, -1.0)
        found = np.empty((len(ids), len(directions))), np.empty((len(ids), len(directions)), np.int32)
        self._caster.refresh(ids)
        fan = beam_fan(directions)
        self._caster.cast(fan, ids, (start, axes), found, hidden_body=hidden_body, least_m=least_m)
        return found[0]


def ray_by_ray(batch: Any, ids: NDArray[np.int64], pnt: Array, vec: Array, **options: Any) -> list[Array]:
    """Calls `mujoco.batch.Batch.ray`, which takes worlds in ascending order, for worlds in any order.

    Args:
        batch: the worlds.
        ids: [n], each once.
        pnt: [n, R, 3] or [n, 1, 3].
        vec: [n, R, 3].
        options: others that it takes, the same in all worlds.
    """
    if (ids[1:] > ids[:-1]).all():
        return list(batch.ray(pnt, vec, ids=ids, **options))
    order = np.argsort(ids)
    back = np.argsort(order)
    return [found[back] for found in batch.ray(pnt[order], vec[order], ids=ids[order], **options)]
