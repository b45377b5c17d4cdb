"""What contacts will press with in a substep, foreseen from the two before.

Bullet solves contacts with inertias that lack the rotors'. What of a contact's force was not foreseen moves the bare
links, which may be far lighter, and only a substep later the rotors with them: legs of light links under heavy rotors
are shaken until they fall. To foresee that a force goes on changing as it did keeps the rotors' momentum right. Where
damping is stiff there is nothing to cure, and a gripper that closes would be thrown open by its own impact.
"""

import copy
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.inertia import rotors

Floats = NDArray[np.float64]

_OFF = mujoco.mjtDisableBit
_SPEED = 1e-3  # rad/s or m/s: of a difference that is a derivative
_LEAST_SHARE = 0.5  # that a rotor keeps of its speed; where it keeps less, nothing shakes
_TINY = 1e-12  # N s/m or N m s: what is left where there is none


class Foresight:
    """Remembers the contacts' force of a substep until the next."""

    def __init__(self, model: Any) -> None:
        trend = trends(model)
        self._trend = trend if trend.any() else None
        self._last: Floats | None = None

    def forget(self) -> None:
        """Forgets the last force, as what follows is to depend on the state alone."""
        self._last = None

    def of(self, contact: Floats) -> Floats:
        """Returns the generalised force [N, nv] to expect, given that of the substep that has just passed."""
        if self._trend is None:
            return contact
        earlier, self._last = self._last, contact
        return contact if earlier is None else contact + self._trend * (contact - earlier)


def trends(model: Any) -> Floats:
    """Returns how much [nv] of its last change a contact's force is expected to change again, from 0 to 1.

    It is the less the more of a rotor's speed damping takes in a substep; where that is half, it is nothing. What has
    neither rotor nor damping, as a free base, goes with the rotors of its kinematic tree.
    """
    rotor, loss = rotors(model), model.opt.timestep * _damping(model) if model.nv else np.zeros(0)
    share = rotor / np.maximum(rotor + loss, _TINY)
    trend = np.where(share > _LEAST_SHARE, share, 0.0)
    trees = np.zeros(model.ntree, bool)
    trees[model.dof_treeid[trend > 0]] = True
    return np.where(trees[model.dof_treeid] & (rotor + loss == 0), 1.0, trend)


def _damping(model: Any) -> Floats:
    """Returns how fast [nv] actuators and dampers hold against each degree of freedom, in the compiled pose."""
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
    return np.maximum(damping, 0.0)
