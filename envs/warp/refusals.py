"""What MuJoCo Warp would ignore, or compute unlike MuJoCo, without a word: it is refused by name."""

import copy
from itertools import product
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError

Floats = NDArray[np.float64]

_MOST_DAMPED = 0.5  # share of a free body's speed that damping may take in a step
_DIVERGING = 2.0  # share from which on explicit damping diverges; with less it is off on its way
_SPEEDS = (1e-3, 1.0)  # m/s and rad/s: in a small one what is limited is not yet, in a great one polynomials act
_IMPLICIT = (mujoco.mjtIntegrator.mjINT_IMPLICIT.value, mujoco.mjtIntegrator.mjINT_IMPLICITFAST.value)
_SCALAR = (mujoco.mjtJoint.mjJNT_SLIDE.value, mujoco.mjtJoint.mjJNT_HINGE.value)
_ON_JOINTS = (mujoco.mjtTrn.mjTRN_JOINT.value, mujoco.mjtTrn.mjTRN_JOINTINPARENT.value)
_OFF = mujoco.mjtDisableBit


def require_known(model: Any) -> None:
    """Checks a model; an integrator of several passes is refused, as records would be of a state between steps.

    Raises:
        UserError: naming the first thing in it that MuJoCo Warp does not do as MuJoCo does.
    """
    if model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4.value:
        raise _refusal("the integrator RK4; use implicitfast or Euler")
    if model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP.value:  # what sleeps follows no written state
        raise _refusal("bodies that sleep; take the flag 'sleep' out of the model")
    for actuator, group in enumerate(model.actuator_group.tolist()):
        if group >= 0 and model.opt.disableactuator >> group & 1:
            name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_ACTUATOR.value, actuator) or actuator
            remedy = "(actuatorgroupdisable); take it out of the model"
            raise _refusal(f"actuator {name!r} is off with its group {group} {remedy}")
    _require_apart(model, model.jnt_range[None])
    _require_light_damping(model)


def require_values(model: Any, field: str, values: Floats) -> None:
    """Checks values [n, ...] of a field that worlds are given of their own.

    Raises:
        UserError: as `require_known` does.
    """
    if field == "jnt_range":
        _require_apart(model, values)
    elif field == "tendon_damping":
        damped = copy.copy(model)
        damped.tendon_damping[:] = values.max(axis=0, initial=0.0)
        _require_light_damping(damped)


def _refusal(what: str) -> UserError:
    return UserError(f"engine warp cannot run this model: {what}")


def _require_apart(model: Any, joint_ranges: Floats) -> None:
    """Checks that of two limits one acts at a time, as in MuJoCo Warp, for joints' ranges [n, njnt, 2]."""
    if model.opt.disableflags & _OFF.mjDSBL_LIMIT.value:
        return
    joints = (model.jnt_limited != 0) & np.isin(model.jnt_type, _SCALAR)
    tendons = model.tendon_limited != 0
    for kind, limited, ranges, margins in (
        ("joint", joints, joint_ranges, model.jnt_margin),
        ("tendon", tendons, model.tendon_range[None], model.tendon_margin),
    ):
        wide = limited & (2 * margins > ranges[..., 1] - ranges[..., 0]).any(axis=0)
        for index in np.flatnonzero(wide)[:1].tolist():
            name = getattr(model, kind)(index).name or index
            raise _refusal(
                f"the margin of {kind} {name!r} is more than half of its range, and MuJoCo Warp knows of"
                " the nearer limit alone; make the margin smaller"
            )


def _require_light_damping(model: Any) -> None:
    """Checks how tendons and actuators damp free bodies with no joint below them: MuJoCo Warp does it explicitly."""
    dofs = _free_dofs(model)
    if model.opt.integrator not in _IMPLICIT or not len(dofs) or not model.ntendon + model.nactuator:
        return
    laws, data = _without_joint_dampers(model), mujoco.MjData(model)
    greatest = np.where(model.actuator_ctrllimited, model.actuator_ctrlrange[:, 1], 1.0)
    for ctrl, speed in product((0.0, greatest), _SPEEDS):
        data.ctrl[:] = ctrl
        slowed = _slowed(laws, data, dofs, speed)
        share = np.abs(np.linalg.eigvals(slowed)).max()
        if share > _MOST_DAMPED:
            body = int(model.dof_bodyid[dofs[np.argmax(np.abs(np.diag(slowed)))]])
            effect = "diverge" if share >= _DIVERGING else "be inaccurate"
            raise _refusal(
                f"tendons or actuators damp body {model.body(body).name or body!r} too strongly: MuJoCo Warp damps free"
                f" bodies explicitly and would {effect};"
                " damp it less, shorten the timestep, or use slide and ball joints"
            )


def _free_dofs(model: Any) -> NDArray[np.int64]:
    """Returns the degrees of freedom of free bodies that are all of their tree that moves."""
    alone = model.tree_dofnum[model.dof_treeid] == 6
    return np.flatnonzero(alone & (model.jnt_type[model.dof_jntid] == mujoco.mjtJoint.mjJNT_FREE.value))


def _without_joint_dampers(model: Any) -> Any:
    """Returns a copy in which only tendons and actuators damp: MuJoCo Warp's joints do so implicitly."""
    laws = copy.copy(model)
    laws.opt.disableflags |= _OFF.mjDSBL_CONSTRAINT.value | _OFF.mjDSBL_CONTACT.value
    laws.dof_damping[:], laws.dof_dampingpoly[:] = 0, 0
    laws.actuator_damping[np.isin(model.actuator_trntype, _ON_JOINTS)] = 0
    return laws


def _slowed(laws: Any, data: Any, dofs: NDArray[np.int64], speed: float) -> Floats:
    """Returns by which share a step of the compiled pose slows bodies [F, F] of a `speed` along each of `dofs`."""
    inertia, change = np.zeros((laws.nv, laws.nv)), np.zeros((len(dofs), len(dofs)))
    data.qvel[:] = 0
    mujoco.mj_forward(laws, data)
    mujoco.mj_fullM(laws, data, inertia)
    rest = (data.qfrc_actuator + data.qfrc_damper)[dofs]
    for column, dof in enumerate(dofs.tolist()):
        data.qvel[:] = 0
        data.qvel[dof] = speed
        mujoco.mj_forwardSkip(laws, data, mujoco.mjtStage.mjSTAGE_POS.value, True)
        change[:, column] = (rest - (data.qfrc_actuator + data.qfrc_damper)[dofs]) / speed
    return np.asarray(laws.opt.timestep * np.linalg.solve(inertia[np.ix_(dofs, dofs)], change))
