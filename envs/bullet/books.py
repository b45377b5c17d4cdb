"""The model that MuJoCo keeps the books with: its step knows of no force that Bullet computes."""

import copy

import mujoco

_OFF = mujoco.mjtDisableBit
_ALL_CONSTRAINTS = _OFF.mjDSBL_CONTACT.value | _OFF.mjDSBL_CONSTRAINT.value
_ALL_BUT_FRICTION = _OFF.mjDSBL_CONTACT.value | _OFF.mjDSBL_EQUALITY.value | _OFF.mjDSBL_LIMIT.value
_HARD = 0.9999  # the greatest impedance that MuJoCo takes


def books_of(model: mujoco.MjModel) -> mujoco.MjModel:
    """Returns a copy of a model that steps implicitly, without contacts, limits and equalities.

    Dry friction of joints stays, as hard as it can be: what holds a rotor cannot be left to Bullet, which has none.
    """
    books = copy.copy(model)
    books.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST.value
    books.opt.enableflags &= ~mujoco.mjtEnableBit.mjENBL_ENERGY.value  # its sensors would tell of an earlier state
    if not model.dof_frictionloss.any():
        books.opt.disableflags |= _ALL_CONSTRAINTS
        return books
    books.opt.disableflags |= _ALL_BUT_FRICTION | _OFF.mjDSBL_WARMSTART.value  # its column holds Bullet's forces
    books.dof_solref[:] = 2 * model.opt.timestep, 1.0  # the quickest
    books.dof_solimp[:, :2] = _HARD
    return books
