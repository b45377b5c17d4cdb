"""Free things keep standing on what they stand on when their size is another than the layout counted with."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.engine import Engine
from robossl.envs.host import numbers_of
from robossl.envs.solid_bodies import half_height, solid_geom

_FREE = mujoco.mjtJoint.mjJNT_FREE.value


class Standing:
    """Lifts or lowers free bodies of one geom, upright as layouts put them, by what their geom grew or shrank."""

    def __init__(self, model: Any) -> None:
        joints = np.flatnonzero(model.jnt_type == _FREE).tolist()
        geoms = {joint: solid_geom(model, model.jnt_bodyid[joint]) for joint in joints}
        self._things = [
            (geom, int(model.jnt_qposadr[joint]) + 2, int(model.geom_type[geom]), model.geom_size[geom])
            for joint, geom in geoms.items()
            if geom is not None
        ]

    def settle(self, engine: Engine, size: NDArray[np.float64], ids: NDArray[np.int64]) -> None:
        """Moves them in the worlds `ids`, whose geoms have the sizes [n, ngeom, 3]; else the layout stays."""
        if not self._things:
            return
        qpos = numbers_of(engine, "qpos", ids)
        for geom, height, kind, compiled in self._things:
            qpos[:, height] += half_height(kind, size[:, geom]) - half_height(kind, compiled)
        engine.write("qpos", qpos, ids)
