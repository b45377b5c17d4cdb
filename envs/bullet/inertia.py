"""Joint-space inertia of N worlds, and which kinematic trees feel more than gravity and contacts."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_JOINTS = (mujoco.mjtTrn.mjTRN_JOINT.value, mujoco.mjtTrn.mjTRN_JOINTINPARENT.value)
_TENDON_LAWS = ("stiffness", "stiffnesspoly", "damping", "dampingpoly")


class JointInertia:
    """Reads MuJoCo's sparse inertia matrices as dense ones, less the armature, which Bullet's joints do not have.

    Armature is a joint's own or, times the square of its gear's first number, that of an actuator on it: along every
    degree of freedom, whichever of them the gear pulls.
    """

    def __init__(self, model: Any, batch: Any) -> None:
        self._model, self._batch = model, batch
        self._rows = np.repeat(np.arange(model.nv), model.M_rownnz)
        self._columns = model.M_colind.copy()
        self._values = batch.bind("M")
        self._rotors = [(i, _dofs(model, i)) for i in np.flatnonzero(model.actuator_armature).tolist()]

    def matrix(self) -> Floats:
        """Returns [N, nv, nv] of the positions that MuJoCo computed last."""
        model, values = self._model, self._values
        dense = np.zeros((len(values), model.nv, model.nv))
        dense[:, self._rows, self._columns] = values
        dense[:, self._columns, self._rows] = values
        diagonal = np.arange(model.nv)
        dense[:, diagonal, diagonal] -= self._own("dof_armature")
        for actuator, dofs in self._rotors:
            ratio = self._own("actuator_gear")[..., model.actuator_outadr[actuator], :1]
            dense[:, dofs, dofs] -= model.actuator_armature[actuator] * ratio**2
        return dense

    def _own(self, field: str) -> Floats:
        """Returns a field of every world's own, or of the model where they all share it."""
        own = self._batch.expanded(field)
        return np.asarray(getattr(self._model, field) if own is None else own)


def rotors(model: Any) -> Floats:
    """Returns the armature [nv] of the compiled model: that of joints and of the actuators on them."""
    armature = model.dof_armature.astype(np.float64)
    for actuator in np.flatnonzero(model.actuator_armature).tolist():
        gear = model.actuator_gear[model.actuator_outadr[actuator], 0]
        armature[_dofs(model, actuator)] += model.actuator_armature[actuator] * gear**2
    return np.asarray(armature)


def _dofs(model: Any, actuator: int) -> NDArray[np.int64]:
    """Returns the degrees of freedom of the joint that an actuator pulls."""
    joint = model.actuator_trnid[actuator, 0]
    first = int(model.jnt_dofadr[joint])
    last = first + int(np.count_nonzero(model.dof_jntid == joint))
    return np.arange(first, last)


def ruled_trees(model: Any) -> NDArray[np.bool_]:
    """Tells which kinematic trees [ntree] have armature, friction, springs, dampers, actuators or an own gravity."""
    ruled = np.zeros(model.ntree, bool)
    dofs = (model.dof_damping != 0) | (model.dof_dampingpoly != 0).any(axis=1) | (model.dof_armature != 0)
    dofs |= model.dof_frictionloss != 0
    ruled[model.dof_treeid[dofs]] = True
    bodies = model.body_gravcomp != 0
    springs = (model.jnt_stiffness != 0) | (model.jnt_stiffnesspoly != 0).any(axis=1)
    bodies[model.jnt_bodyid[springs]] = True
    for actuator in range(model.nactuator):  # one may have several controls
        kind, target = model.actuator_trntype[actuator], model.actuator_trnid[actuator]
        if kind in _JOINTS:
            bodies[model.jnt_bodyid[target[0]]] = True
        elif kind == mujoco.mjtTrn.mjTRN_SITE.value:
            bodies[model.site_bodyid[target[target >= 0]]] = True
        else:
            ruled[:] = True
    if any(getattr(model, f"tendon_{name}").any() for name in _TENDON_LAWS):
        ruled[:] = True
    if model.opt.density or model.opt.viscosity or (model.body_plugin >= 0).any():
        ruled[:] = True
    trees = model.body_treeid[bodies]
    ruled[trees[trees >= 0]] = True
    return ruled
