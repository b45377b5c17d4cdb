"""What of a MuJoCo model Bullet has no counterpart for. Nothing is dropped in silence: it is refused by name."""

from typing import Any

import mujoco
import numpy as np

from robossl.core import UserError
from robossl.envs.bullet.forces import MOTION_SENSORS, TOUCH_SENSOR

_GEOMS = ("PLANE", "SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX", "MESH")
SOLID_TYPES = tuple(int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}").value) for name in _GEOMS)
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
_SOLVER_SENSORS = tuple(
    int(getattr(_SENSOR, f"mjSENS_{what}LIMIT{value}").value)
    for what in ("JOINT", "TENDON")
    for value in ("POS", "VEL", "FRC")
)


def require_translatable(model: Any) -> None:
    """Checks a model.

    Raises:
        UserError: naming the first element that cannot be translated.
    """
    _require_no("flex", model.nflex, [model.flex(i).name for i in range(model.nflex)])
    _require_joints(model)
    _require_geoms(model)
    _require_equalities(model)
    _require_tendons(model)
    _require_sensors(model)


def refuse(element: str, name: str, reason: str) -> UserError:
    """Returns the error that says why an element cannot be translated."""
    return UserError(f"engine bullet: {element} {name!r} cannot be translated: {reason}")


def _require_joints(model: Any) -> None:
    for joint in range(model.njnt):
        kind, name = model.jnt_type[joint], model.joint(joint).name
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
    for geom in range(model.ngeom):
        is_solid = model.geom_contype[geom] or model.geom_conaffinity[geom]
        name, kind = model.geom(geom).name, int(model.geom_type[geom])
        if is_solid and kind not in SOLID_TYPES:
            raise refuse("geom", name, f"Bullet has no shape for {mujoco.mjtGeom(kind).name}")
        if is_solid and (model.geom_margin[geom] or model.geom_gap[geom]):
            raise refuse("geom", name, "Bullet's contacts have no margin of a geom's own")


def _require_equalities(model: Any) -> None:
    known = (mujoco.mjtEq.mjEQ_WELD, mujoco.mjtEq.mjEQ_CONNECT)
    for index in range(model.neq):
        name = model.equality(index).name
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
            raise refuse("tendon", model.tendon(tendon).name, "Bullet has no limit, friction or inertia of a tendon")


def _require_sensors(model: Any) -> None:
    for sensor in range(model.nsensor):
        kind, name = int(model.sensor_type[sensor]), model.sensor(sensor).name
        if kind == CONTACT_SENSOR:
            if model.sensor_intprm[sensor, 0] != 1 << mujoco.mjtConDataField.mjCONDATA_FOUND.value:
                raise refuse("sensor", name, "of a contact sensor's data, only `found` has a counterpart")
            if _OBJ_SITE in (model.sensor_objtype[sensor], model.sensor_reftype[sensor]):
                raise refuse("sensor", name, "it watches a site; watch a body or a geom")
        elif kind in _WRENCH_SENSORS and model.neq:
            raise refuse("sensor", name, "PyBullet does not tell the forces of welds and connections")
        elif kind in _SOLVER_SENSORS or (model.sensor_needstage[sensor] > _VELOCITY and kind not in _COMPUTED):
            raise refuse("sensor", name, f"{mujoco.mjtSensor(kind).name} would show MuJoCo's forces, not Bullet's")


def _require_no(element: str, count: int, names: list[str]) -> None:
    if count:
        raise refuse(element, names[0], "it is not made of rigid bodies")


def touches(model: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Returns the sensors whose values are contacts."""
    return np.flatnonzero(model.sensor_type == CONTACT_SENSOR)
