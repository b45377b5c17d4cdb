"""Which of MuJoCo's fields an engine may read, write and randomise, and what has to be computed first."""

from collections.abc import Collection
from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core.errors import require_known

_KINETIC = mujoco.mjtSensor.mjSENS_E_KINETIC.value
_STATE_NAMES = {"warmstart": "qacc_warmstart"}  # of mjtState, where they are not the fields'

VISIBLE_GROUPS = np.array([1, 1, 1, 0, 0, 0], np.uint8)
"""Of geoms: what rays and cameras meet."""

NO_COLOUR = np.array([0.5, 0.5, 0.5, 1.0], np.float32)
"""Of a geom: MuJoCo's sign for "take the material's"."""

# Of a forward pass, in order; each includes those before it. The second is ours, the others are MuJoCo's.
NO_STAGE, BODY_STAGE, POSITION_STAGE, VELOCITY_STAGE, ACCELERATION_STAGE = range(5)


def names(text: str) -> frozenset[str]:
    """Splits a list of names."""
    return frozenset(text.split())


STATE_FIELDS = names("""
    time qpos qvel act qacc_warmstart ctrl qfrc_applied xfrc_applied eq_active mocap_pos mocap_quat userdata
""")

PASSING_FIELDS: tuple[str, ...] = ("qacc_warmstart", "ctrl", "qfrc_applied", "xfrc_applied")
"""Of the state: where the solver begins to look; controls and applied forces, which every decision sets anew."""

BODY_FIELDS = names("xpos xmat xanchor xaxis site_xpos site_xmat")
"""What `Kinematics` computes."""

# Only fields that every forward pass computes: the rest would hold what another world left behind.
_POSITION_FIELDS = names("""
    xquat xipos ximat geom_xpos geom_xmat cam_xpos cam_xmat light_xpos light_xdir
    subtree_com ten_length actuator_length ncon ne nf nl nefc
""")
_VELOCITY_FIELDS = names("""
    cvel ten_velocity actuator_velocity qfrc_bias qfrc_passive qfrc_spring qfrc_damper qfrc_gravcomp
""")
_ACCELERATION_FIELDS = names("qacc qacc_smooth act_dot actuator_force qfrc_actuator qfrc_smooth qfrc_constraint")
_STAGES = {
    **dict.fromkeys(STATE_FIELDS, NO_STAGE),
    **dict.fromkeys(BODY_FIELDS, BODY_STAGE),
    **dict.fromkeys(_POSITION_FIELDS, POSITION_STAGE),
    **dict.fromkeys(_VELOCITY_FIELDS, VELOCITY_STAGE),
    **dict.fromkeys(_ACCELERATION_FIELDS, ACCELERATION_STAGE),
}

READABLE_FIELDS = frozenset(_STAGES) | {"sensordata"}
RECORDABLE_FIELDS = READABLE_FIELDS - {"time", "eq_active"}

# What may differ between worlds: values, never structure, and nothing that MuJoCo derives from other fields.
RANDOM_FIELDS = names("""
    geom_rgba geom_matid geom_friction geom_solref geom_solimp geom_margin geom_size geom_pos geom_quat
    mat_rgba mat_texid mat_texrepeat mat_specular mat_shininess mat_emission
    body_mass body_inertia body_ipos body_pos body_quat body_gravcomp
    dof_damping dof_armature dof_frictionloss jnt_stiffness jnt_range jnt_solref jnt_solimp qpos_spring
    actuator_gainprm actuator_biasprm actuator_gear actuator_forcerange actuator_ctrlrange
    tendon_stiffness tendon_damping tendon_frictionloss pair_friction eq_solref eq_solimp
    cam_pos cam_quat cam_fovy light_pos light_dir light_ambient light_diffuse light_specular light_active
    opt.gravity opt.wind opt.density opt.viscosity opt.impratio
""")
SHAPE_FIELDS = names("geom_size geom_pos geom_quat")
LOOKS = ("geom_rgba", "geom_matid", "mat_", "cam_", "light_")
"""How fields begin that no physics reads."""


def state_columns(model: Any) -> dict[str, slice]:
    """Returns which columns of mjSTATE_INTEGRATION hold which field; some hold none."""
    columns, end = dict[str, slice](), 0
    whole = int(mujoco.mjtState.mjSTATE_INTEGRATION.value)
    parts = {int(part.value): name[8:].lower() for name, part in mujoco.mjtState.__members__.items()}
    for bit in (1 << place for place in range(whole.bit_length())):
        if whole & bit:
            start, end = end, end + mujoco.mj_stateSize(model, bit)
            columns[_STATE_NAMES.get(parts[bit], parts[bit])] = slice(start, end)
    return columns


def columns_of(model: Any, fields: Collection[str]) -> NDArray[np.int64]:
    """Returns the columns of mjSTATE_INTEGRATION that hold state fields, field after field.

    Raises:
        UnknownNameError: if one is none.
    """
    require_known("state field", fields, STATE_FIELDS)
    columns = state_columns(model)
    parts = [np.arange(columns[name].start, columns[name].stop) for name in fields]
    return np.concatenate([np.empty(0, np.int64), *parts])


def stage_of(field: str, model: Any) -> int:
    """Returns the stage after which a readable field is current; a state field always is."""
    if field != "sensordata":
        return _STAGES[field]
    needed = int(max(model.sensor_needstage, default=0))
    return needed + BODY_STAGE if needed else NO_STAGE


def position_stage(model: Any) -> int:
    """Returns how far MuJoCo has to compute for a model's positions, and its sensors of that stage, to be current.

    A sensor of the kinetic energy is one, but reads 0 at a second look without the velocity stage in between.
    """
    return VELOCITY_STAGE if (model.sensor_type == _KINETIC).any() else POSITION_STAGE


def mujoco_stage(stage: int) -> int:
    """Returns MuJoCo's number of a stage."""
    return max(stage - BODY_STAGE, 0)


def model_default(model: Any, field: str) -> NDArray[Any]:
    """Returns what all worlds have of a model field, unless they are given values of their own."""
    holder, name = (model.opt, field[4:]) if field.startswith("opt.") else (model, field)
    return np.asarray(getattr(holder, name))


def in_visible_group(group: Any) -> NDArray[np.bool_]:
    """Tells of groups, one or many, whether rays and cameras meet what is in them; MuJoCo takes the nearest it has."""
    return np.asarray(VISIBLE_GROUPS[np.clip(group, 0, len(VISIBLE_GROUPS) - 1)], bool)


@cache
def feeds_constants(field: str) -> bool:
    """Tells whether MuJoCo derives constants of the model from a field."""
    return field in mujoco.MjModel._setconst_inputs or field.startswith("opt.")
