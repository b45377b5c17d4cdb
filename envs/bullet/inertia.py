"""Joint-space inertia of N worlds, and which kinematic trees feel more than gravity and contacts."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_JOINTS = (mujoco.mjtTrn.mjTRN_JOINT.value, mujoco.mjtTrn.mjTRN_JOINTINPARENT.value)


class JointInertia:
    """Reads MuJoCo's sparse inertia matrices as dense ones, less the armature, which Bullet's joints do not have."""

    def __init__(self, model: Any, batch: Any) -> None:
        self._model, self._batch = model, batch
        self._rows = np.repeat(np.arange(model.nv), model.M_rownnz)
        self._columns = model.M_colind.copy()
        self._values = batch.bind("M")

    def matrix(self) -> Floats:
        """Returns [N, nv, nv] of the positions that MuJoCo computed last."""
        model, values = self._model, self._values
        dense = np.zeros((len(values), model.nv, model.nv))
        dense[:, self._rows, self._columns] = values
        dense[:, self._columns, self._rows] = values
        own = self._batch.expanded("dof_armature")
        diagonal = np.arange(model.nv)
        dense[:, diagonal, diagonal] -= model.dof_armature if own is None else own
        return dense


def ruled_trees(model: Any) -> NDArray[np.bool_]:
    """Tells which kinematic trees [ntree] have armature, springs, dampers, actuators or an own gravity."""
    ruled = np.zeros(model.ntree, bool)
    dofs = (model.dof_damping != 0) | (model.dof_armature != 0)
    ruled[model.dof_treeid[dofs]] = True
    bodies = model.body_gravcomp != 0
    bodies[model.jnt_bodyid[model.jnt_stiffness != 0]] = True
    for actuator in range(model.nu):
        kind, target = model.actuator_trntype[actuator], model.actuator_trnid[actuator]
        if kind in _JOINTS:
            bodies[model.jnt_bodyid[target[0]]] = True
        elif kind == mujoco.mjtTrn.mjTRN_SITE.value:
            bodies[model.site_bodyid[target[target >= 0]]] = True
        elif kind == mujoco.mjtTrn.mjTRN_BODY.value:
            bodies[target[0]] = True
        else:
            ruled[:] = True
    if model.ntendon and (model.tendon_stiffness.any() or model.tendon_damping.any()):
        ruled[:] = True
    if model.opt.density or model.opt.viscosity:
        ruled[:] = True
    trees = model.body_treeid[bodies]
    ruled[trees[trees >= 0]] = True
    return ruled
