"""What contacts will press with in a substep, foreseen from the two before.

Bullet solves contacts with inertias that lack the rotors'. What of a contact's force was not foreseen moves the bare
links, which may be far lighter, and only a substep later the rotors with them: legs of light links under heavy rotors
are shaken until they fall. To foresee that a force goes on changing as it did keeps the rotors' momentum right. But it
takes an impact for the beginning of a greater one. So it is kept to what stands on legs, trees whose first joint no
rotors or dampers hold, and away from joints at their limits, which it would throw back.
"""

import copy
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.inertia import rotors

Floats = NDArray[np.float64]

_OFF = mujoco.mjtDisableBit
_SCALAR = (mujoco.mjtJoint.mjJNT_SLIDE.value, mujoco.mjtJoint.mjJNT_HINGE.value)
_SPEED = 1e-3  # rad/s or m/s: of a difference that is a derivative
_LEAST_SHARE = 0.5  # that a rotor keeps of its speed; where it keeps less, nothing shakes
_LOOSE = 1e-3  # share of its speed that air or a rail's friction may take from what moves freely
_AT_LIMIT = 0.01  # rad or m
_TINY = 1e-12  # N s/m or N m s: what is left where there is none


class Foresight:
    """Remembers the contacts' force of a substep until the next."""

    def __init__(self, model: Any) -> None:
        trend = trends(model)
        self._trend = trend if trend.any() else None
        self._last: Floats | None = None
        joints = np.flatnonzero((model.jnt_limited != 0) & np.isin(model.jnt_type, _SCALAR))
        self._qpos, self._dofs = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        within = model.jnt_margin[joints] + _AT_LIMIT
        self._low, self._high = model.jnt_range[joints, 0] + within, model.jnt_range[joints, 1] - within

    def forget(self) -> None:
        """Forgets the last force, as what follows is to depend on the state alone."""
        self._last = None

    def of(self, contact: Floats, qpos: Floats) -> Floats:
        """Returns the generalised force [N, nv] to expect, given that of the last substep and where it led [N, nq]."""
        if self._trend is None:
            return contact
        earlier, self._last = self._last, contact
        if earlier is None:
            return contact
        change = self._trend * (contact - earlier)
        angles = qpos[:, self._qpos]
        change[:, self._dofs] *= (angles > self._low) & (angles < self._high)
        return np.asarray(contact + change)


def trends(model: Any) -> Floats:
    """Returns how much [nv] of its last change a contact's force is expected to change again, from 0 to 1.

    It is the less the more of a rotor's speed damping takes in a substep; where that is half, it is nothing. What moves
    freely, as a base, goes with the rotors of its kinematic tree; where no base does, nothing is expected.
    """
    if not model.nv:
        return np.zeros(0)
    inertia, damping = _dynamics(model)
    rotor, loss = rotors(model), model.opt.timestep * damping
    share = rotor / np.maximum(rotor + loss, _TINY)
    trend = np.where(share > _LEAST_SHARE, share, 0.0)
    is_loose = (rotor == 0) & (loss <= _LOOSE * inertia)
    stands = is_loose[model.tree_dofadr]
    stands[np.setdiff1d(np.arange(model.ntree), model.dof_treeid[trend > 0])] = False
    return np.where(stands[model.dof_treeid], np.where(is_loose, 1.0, trend), 0.0)


def _dynamics(model: Any) -> tuple[Floats, Floats]:
    """Returns inertia and how fast actuators and dampers hold against each degree of freedom, in the compiled pose."""
    laws, data, damping = copy.copy(model), mujoco.MjData(model), np.zeros(model.nv)
    laws.opt.disableflags |= _OFF.mjDSBL_CONSTRAINT.value | _OFF.mjDSBL_CONTACT.value
    laws.actuator_forcelimited[:], laws.jnt_actfrclimited[:] = 0, 0
    mujoco.mj_forward(laws, data)
    rest = data.qfrc_actuator + data.qfrc_passive
    for dof in range(model.nv):
        data.qvel[:] = 0
        data.qvel[dof] = _SPEED
        mujoco.mj_forwardSkip(laws, data, mujoco.mjtStage.mjSTAGE_POS.value, True)
        damping[dof] = (rest - data.qfrc_actuator - data.qfrc_passive)[dof] / _SPEED
    inertia = data.M[model.M_rowadr + model.M_rownnz - 1]
    return inertia, np.maximum(damping, 0.0)
