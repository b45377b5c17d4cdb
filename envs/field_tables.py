"""A field as a table: a row for each number or vector of it, and which rows are those of named elements."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.envs.elements import element_id
from robossl.envs.mujoco_fields import STATE_FIELDS, model_default, state_columns

_WIDTHS = {"mocap_pos": 3, "mocap_quat": 4, "xfrc_applied": 6}
"""Of state fields that are not single numbers."""

_KINDS = {
    "actuator": "actuator",
    "act": "actuator",
    "body": "body",
    "cam": "camera",
    "ctrl": "actuator",
    "dof": "joint",
    "eq": "equality",
    "geom": "geom",
    "jnt": "joint",
    "light": "light",
    "mat": "material",
    "mocap": "body",
    "pair": "pair",
    "qacc": "joint",
    "qfrc": "joint",
    "qpos": "joint",
    "qvel": "joint",
    "tendon": "tendon",
    "xfrc": "body",
}
"""Of the elements that a field is of, by the beginning of its name."""

_OF_DOFS, _OF_POSITIONS = ("dof", "qvel", "qfrc", "qacc"), ("qpos", "qpos_spring")
_OF_SIGNALS = {
    "actuator_gear": ("actuator_outadr", "actuator_outnum"),
    "actuator_ctrlrange": ("actuator_ctrladr", "actuator_ctrlnum"),
}
"""Of actuators, which may have several controls and outputs: where theirs are."""
_BALL, _FREE = int(mujoco.mjtJoint.mjJNT_BALL.value), int(mujoco.mjtJoint.mjJNT_FREE.value)
_NUM_DOFS = {_FREE: 6, _BALL: 3}


def table_shape(model: Any, field: str) -> tuple[int, int]:
    """Returns a world's rows and columns of a field; what the model's options hold is one row."""
    if field in STATE_FIELDS:
        columns, width = state_columns(model)[field], _WIDTHS.get(field, 1)
        return (columns.stop - columns.start) // width, width
    default = model_default(model, field)
    num_rows = 1 if field.startswith("opt.") else len(default)
    return num_rows, default.size // num_rows if num_rows else 0


def rows_of(model: Any, field: str, elements: tuple[str, ...] | None) -> NDArray[np.int64]:
    """Returns the rows of named elements, all where None.

    Raises:
        UnknownNameError: if the model has no element of a name.
        UserError: if the field is of no elements, or an element has no row, or rows that are no numbers of their own.
    """
    prefix = field.partition("_")[0]
    if elements is None:
        if field in _OF_POSITIONS:
            _require_single(model, field, range(model.njnt))
        return np.arange(table_shape(model, field)[0])
    if prefix not in _KINDS or not elements:
        raise UserError(f"{field} {'is of no elements' if elements else 'of which elements?'}, got {list(elements)}")
    ids = [element_id(model, _KINDS[prefix], name) for name in elements]
    if field in _OF_POSITIONS:
        _require_single(model, field, ids)
        return np.array(model.jnt_qposadr[ids], np.int64)
    if prefix in _OF_DOFS:
        spans = [(model.jnt_dofadr[i], _NUM_DOFS.get(int(model.jnt_type[i]), 1)) for i in ids]
    elif field == "act":
        spans = [(model.actuator_actadr[i], model.actuator_actnum[i]) for i in ids]
    elif prefix == "mocap":
        spans = [(model.body_mocapid[i], int(model.body_mocapid[i] >= 0)) for i in ids]
    elif field in _OF_SIGNALS:
        first, count = (getattr(model, name) for name in _OF_SIGNALS[field])
        spans = [(first[i], count[i]) for i in ids]
    else:
        spans = [(i, 1) for i in ids]
    for name, (_, count) in zip(elements, spans, strict=True):
        if count < 1:
            raise UserError(f"{_KINDS[prefix]} {name!r} has no {field}")
    return np.concatenate([np.arange(first, first + count, dtype=np.int64) for first, count in spans])


def _require_single(model: Any, field: str, joints: Any) -> None:
    """Refuses positions of joints that are poses: a number added to a quaternion leaves none."""
    for i in joints:
        if int(model.jnt_type[i]) in _NUM_DOFS:
            raise UserError(
                f"{field} of joint {model.joint(i).name!r} is a pose, not a number: name other joints, and let the"
                " task's layout draw it"
            )
