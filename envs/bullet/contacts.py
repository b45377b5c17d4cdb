"""Bullet's contacts as MuJoCo's contact sensors report them."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.refusals import touches

_OBJ = mujoco.mjtObj


class ContactSensors:
    """Counts contacts for the contact sensors of a model.

    Attributes:
        columns: of `sensordata` that it fills, C of them.
    """

    def __init__(self, model: Any) -> None:
        sensors = touches(model).tolist()
        self._first = [_geoms(model, model.sensor_objtype[i], model.sensor_objid[i]) for i in sensors]
        self._second = [_geoms(model, model.sensor_reftype[i], model.sensor_refid[i]) for i in sensors]
        self._num_slots = [int(model.sensor_dim[i]) for i in sensors]
        spans = [np.arange(model.sensor_adr[i], model.sensor_adr[i] + model.sensor_dim[i]) for i in sensors]
        self.columns = np.concatenate([np.zeros(0, np.int64), *spans]).astype(np.int64)

    def read(self, contacts: list[tuple[int, int]]) -> NDArray[np.float64]:
        """Returns the values [C] for pairs of touching geoms: every slot in use holds the number of contacts."""
        if not contacts:
            return np.zeros(len(self.columns))
        found: list[float] = []
        a, b = np.array(contacts, np.int64).T
        for first, second, num_slots in zip(self._first, self._second, self._num_slots, strict=True):
            count = int(((first[a] & second[b]) | (first[b] & second[a])).sum())
            found += [float(count) if slot < count else 0.0 for slot in range(num_slots)]
        return np.array(found)


def _geoms(model: Any, kind: int, index: int) -> NDArray[np.bool_]:
    """Returns [ngeom] which geoms belong to what a sensor is told to watch; all where it is told nothing."""
    bodies = model.geom_bodyid
    if kind == _OBJ.mjOBJ_GEOM.value:
        return np.asarray(np.arange(model.ngeom) == index)
    if kind == _OBJ.mjOBJ_BODY.value:
        return np.asarray(bodies == index)
    if kind == _OBJ.mjOBJ_XBODY.value:
        return np.array([_is_under(model, int(body), index) for body in bodies])
    return np.ones(model.ngeom, bool)


def _is_under(model: Any, body: int, ancestor: int) -> bool:
    while body > ancestor:
        body = int(model.body_parentid[body])
    return body == ancestor
