"""What of a MuJoCo model Bullet has no counterpart for. Nothing is dropped in silence: it is refused by name."""

from typing import Any

import mujoco
import numpy as np

from robossl.core import UserError
from robossl.envs.bullet.forces import MOTION_SENSORS, TOUCH_SENSOR

_GEOMS = ("PLANE", "SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX", "MESH")
SOLID_TYPES = tuple(int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value) for name in _GEOMS)
_MESH = int(mujoco.mjtGeom.mjGEOM_MESH.value)
_MOST_VERTICES = 131_072  # that PyBullet takes of a mesh
_MOST_LINKS = 127  # of a body; PyBullet leaves out what is beyond without a word
_MOST_COORDINATES = 128 - 7  # of its joints; PyBullet keeps 7 for every base, and writes past the end of its arrays
_BALL, _FREE = mujoco.mjtJoint.mjJNT_BALL.value, mujoco.mjtJoint.mjJNT_FREE.value
_SENSOR = mujoco.mjtSensor
CONTACT_SENSOR = int(_SENSOR.mjSENS_CONTACT.value)
_VELOCITY = int(mujoco.mjtStage.mjSTAGE_VEL.value)
_OBJ_SITE = mujoco.mjtObj.mjOBJ_SITE.value
_LATE_SENSORS = tuple(
    int(getattr(_SENSOR, f"mjSENS_{name}").value) for name in ("ACTUATORFRC", "JOINTACTFRC", "TENDONACTFRC")
)
"""Computed after the forces, but not from those of contacts."""
_WRENCH_SENSORS = tuple(int(getattr(_SENSOR, f"mjSENS_{name}").value) for name in ("FORCE", "TORQUE"))
_COMPUTED = (*_LATE_SENSORS, *MOTION_SENSORS, TOUCH_SENSOR)
_OF_BULLETS_OWN = (CONTACT_SENSOR, *MOTION_SENSORS, TOUCH_SENSOR)
_TACTILE = int(_SENSOR.mjSENS_TACTILE.value)
_BODY, _TENDON = mujoco.mjtTrn.mjTRN_BODY.value, mujoco.mjtTrn.mjTRN_TENDON.value
_LEFT_OUT = "it is off where TaskSpec.mjcf_sensors leaves it out"
_SOLVER_SENSORS = tuple(
    int(getattr(_SENSOR, f"mjSENS_{what}LIMIT{value}").value)
    for what in ("JOINT", "TENDON")
    for value in ("POS", "VEL", "FRC")
)


_FLAGS = {
    "constraint": "take contacts, limits, friction loss and equalities out of the model",
    "equality": "take the equalities out of the model",
    "frictionloss": "take the friction loss out of the joints",
    "limit": "take the limits out of the joints",
    "sensor": "take the sensors out of the model",
}
"""Which of MJCF's flags switch off what Bullet computes, and what to do instead; `contact` has a counterpart."""

_MODES = {
    "override": "Bullet's contacts have no parameters that all share",
    "sleep": "Bullet's bodies do not sleep",
    "ipc": "Bullet has no such contacts",
    "speculative": "Bullet has no contacts before things touch",
}
"""Which of MJCF's flags switch on what Bullet does not do, and why."""


def require_translatable(model: Any) -> None:
    """Checks a model.

    Raises:
        UserError: naming the first element that cannot be translated.
    """
    if model.nflex:
        name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_FLEX.value, 0)
        raise refuse("flex", name or 0, "it is not made of rigid bodies")
    _require_flags(model)
    _require_joints(model)
    _require_geoms(model)
    _require_pairs(model)
    _require_equalities(model)
    _require_tendons(model)
    _require_actuators(model)
    _require_sensors(model)


def require_size(model: Any, root: int, joints: list[int]) -> None:
    """Checks that PyBullet has room for a tree.

    Args:
        model: the compiled model.
        root: the tree's first body.
        joints: of its links, -1 where a link has none.

    Raises:
        UserError: naming the body.
    """
    name = model.body(root).name or root
    if len(joints) > _MOST_LINKS:
        reason = f"with its children it takes {len(joints)} links, for joints and for geoms that touch"
        raise refuse("body", name, f"{reason}; PyBullet takes {_MOST_LINKS}")
    num_coordinates = sum(4 if model.jnt_type[joint] == _BALL else 1 for joint in joints if joint >= 0)
    if num_coordinates > _MOST_COORDINATES:
        reason = f"with its children it has {num_coordinates} joint positions, four for a ball"
        raise refuse("body", name, f"{reason}; PyBullet takes {_MOST_COORDINATES}")


def refuse(element: str, name: str | int, reason: str) -> UserError:
    """Returns the error that says why an element cannot be translated; one without a name goes by its number."""
    return UserError(f"engine bullet: {element} {name!r} cannot be translated: {reason}")


def _require_flags(model: Any) -> None:
    for name, remedy in _FLAGS.items():
        if model.opt.disableflags & getattr(mujoco.mjtDisableBit, f"mjDSBL_{name.upper()}").value:
            raise refuse("flag", name, f"Bullet has no such switch; {remedy}")
    for name, reason in _MODES.items():
        if model.opt.enableflags & getattr(mujoco.mjtEnableBit, f"mjENBL_{name.upper()}").value:
            raise refuse("flag", name, reason)


def _require_joints(model: Any) -> None:
    for joint in range(model.njnt):
        kind, name = model.jnt_type[joint], model.joint(joint).name or joint
        if kind == _BALL and model.jnt_limited[joint]:
            raise refuse("joint", name, "Bullet has no limit for a ball joint")
        body = model.jnt_bodyid[joint]
        if kind == _FREE and model.dof_frictionloss[model.jnt_dofadr[joint]]:
            raise refuse("joint", name, "Bullet has no friction loss for a free joint")
        if kind == _BALL and model.dof_frictionloss[model.jnt_dofadr[joint]]:
            raise refuse("joint", name, "Bullet has no friction loss for a ball joint")
        if model.body_mocapid[model.body_rootid[body]] >= 0:
            raise refuse("joint", name, "it hangs from a mocap body")


def _require_geoms(model: Any) -> None:
    paired = {*model.pair_geom1.tolist(), *model.pair_geom2.tolist()}
    for geom in range(model.ngeom):
        has_mask = model.geom_contype[geom] or model.geom_conaffinity[geom]
        is_solid = has_mask or geom in paired
        name, kind = model.geom(geom).name or geom, int(model.geom_type[geom])
        if is_solid and kind not in SOLID_TYPES:
            raise refuse("geom", name, f"Bullet has no shape for {mujoco.mjtGeom(kind).name}")
        if is_solid and kind == _MESH and model.mesh_vertnum[model.geom_dataid[geom]] > _MOST_VERTICES:
            raise refuse("geom", name, f"PyBullet takes no mesh of more than {_MOST_VERTICES} vertices")
        if has_mask and (model.geom_margin[geom] or model.geom_gap[geom]):
            raise refuse("geom", name, "Bullet's contacts have no margin of a geom's own")
        if has_mask and model.geom_adhesion[geom]:
            raise refuse("geom", name, "Bullet has no adhesion")
        if is_solid and model.geom_surfacevel[geom].any():
            raise refuse("geom", name, "Bullet's surfaces do not move of themselves")


def _require_pairs(model: Any) -> None:
    for pair in range(model.npair):
        name, friction, dim = model.pair(pair).name or pair, model.pair_friction[pair], model.pair_dim[pair]
        if model.pair_margin[pair] or model.pair_gap[pair]:
            raise refuse("pair", name, "Bullet's contacts have no margin of a pair's own")
        if model.pair_adhesion[pair]:
            raise refuse("pair", name, "Bullet has no adhesion")
        if (dim >= 3 and friction[0] != friction[1]) or (dim >= 6 and friction[3] != friction[4]):
            raise refuse("pair", name, "Bullet's friction is the same in all directions")


def _require_equalities(model: Any) -> None:
    known = (mujoco.mjtEq.mjEQ_WELD, mujoco.mjtEq.mjEQ_CONNECT)
    for index in range(model.neq):
        name = model.equality(index).name or index
        if model.eq_type[index] not in [kind.value for kind in known]:
            raise refuse("equality", name, "only weld and connect have a counterpart")
        if model.eq_objtype[index] != mujoco.mjtObj.mjOBJ_BODY.value:
            raise refuse("equality", name, "it joins sites; name the bodies")
        if not model.eq_active0[index]:
            raise refuse("equality", name, "it is not active from the start")
        bodies = [model.eq_obj1id[index], model.eq_obj2id[index]]
        if (model.body_treeid[bodies] < 0).all():
            raise refuse("equality", name, "neither of its bodies can move")


def _require_tendons(model: Any) -> None:
    for tendon in range(model.ntendon):
        if model.tendon_limited[tendon] or model.tendon_frictionloss[tendon] or model.tendon_armature[tendon]:
            name = model.tendon(tendon).name or tendon
            raise refuse("tendon", name, "Bullet has no limit, friction or inertia of a tendon")


def _require_actuators(model: Any) -> None:
    for actuator in range(model.nactuator):
        name, kind = model.actuator(actuator).name or actuator, model.actuator_trntype[actuator]
        if kind == _BODY:
            raise refuse("actuator", name, "Bullet has no adhesion")
        if kind == _TENDON and model.actuator_armature[actuator]:
            raise refuse("actuator", name, "Bullet has no inertia of a tendon")


def _require_sensors(model: Any) -> None:
    for sensor in range(model.nsensor):
        kind, name = int(model.sensor_type[sensor]), model.sensor(sensor).name or sensor
        if kind in _OF_BULLETS_OWN and (model.sensor_delay[sensor] or model.sensor_interval[sensor, 0]):
            raise refuse("sensor", name, "MuJoCo delays its own contacts and forces, not Bullet's")
        if kind == CONTACT_SENSOR:
            if model.sensor_intprm[sensor, 0] != 1 << mujoco.mjtConDataField.mjCONDATA_FOUND.value:
                raise refuse("sensor", name, "of a contact sensor's data, only `found` has a counterpart")
            if _OBJ_SITE in (model.sensor_objtype[sensor], model.sensor_reftype[sensor]):
                raise refuse("sensor", name, "it watches a site; watch a body or a geom")
        elif kind in _WRENCH_SENSORS and model.neq:
            raise refuse("sensor", name, f"PyBullet does not tell the forces of welds and connections; {_LEFT_OUT}")
        elif kind in (*_SOLVER_SENSORS, _TACTILE) or (
            model.sensor_needstage[sensor] > _VELOCITY and kind not in _COMPUTED
        ):
            what = mujoco.mjtSensor(kind).name
            raise refuse("sensor", name, f"{what} would show MuJoCo's forces, not Bullet's; {_LEFT_OUT}")


def touches(model: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Returns the sensors whose values are contacts."""
    return np.flatnonzero(model.sensor_type == CONTACT_SENSOR)
