"""What a random range does, and how many numbers are drawn for it, in words that need the model."""

from typing import Any

import mujoco

from robossl.envs.elements import element_id
from robossl.envs.field_tables import rows_of, table_shape
from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Push, Randomisation

_UNITS = {
    "cam_pos": "m",
    "body_pos": "m",
    "geom_pos": "m",
    "site_pos": "m",
    "geom_size": "m",
    "body_mass": "kg",
    "body_inertia": "kg m2",
    "cam_fovy": "degrees",
    "opt.gravity": "m/s2",
    "geom_rgba": "on a scale from 0 to 1",
    "light_diffuse": "on a scale from 0 to 1",
}
"""Of what is added or set."""
_THINGS = {"geom": "geom", "cam": "camera", "light": "light", "body": "body", "dof": "joint", "actuator": "servo"}
_SLIDE, _HINGE = mujoco.mjtJoint.mjJNT_SLIDE.value, mujoco.mjtJoint.mjJNT_HINGE.value


def effect(entry: AnyRandomisation, model: Any) -> str:
    """Says what a range does, with its unit."""
    if not isinstance(entry, Randomisation):
        return entry.described()
    if entry.mode == "choose" and entry.field == "geom_matid":
        names = ["none", *(model.mat(i).name for i in range(model.nmat))]
        return f"{entry.changed()}: one of {', '.join(names[int(entry.low) + 1 : int(entry.high) + 2])}"
    return entry.described(_unit(entry, model))


def numbers(entry: AnyRandomisation, model: Any) -> str:
    """Says how many numbers are drawn for an episode: one that all elements share, or one for each."""
    if isinstance(entry, ActionDelay):
        return "one"
    if isinstance(entry, Push):
        return "one strength, a new direction for each push"
    field = entry.fields[0]
    num_rows, width = len(rows_of(model, field, entry.elements)), _width(entry, model)
    if num_rows * width == 1:
        return "one"
    if not entry.each:
        return "one for all"
    thing = _THINGS.get(field.partition("_")[0], "joint" if field in ("qpos", "qvel") else "element")
    number = "channel" if field in ("geom_rgba", "light_diffuse") else "axis" if field.endswith("_pos") else "number"
    return f"one for each {thing}" + (f" and {number}" if width > 1 else "")


def _unit(entry: Randomisation, model: Any) -> str:
    if entry.mode == "turn":
        return "rad"
    if entry.mode not in ("offset", "set"):
        return ""
    field = entry.fields[0]
    if field not in ("qpos", "qvel"):
        return _UNITS.get(field, "")
    kinds = {int(model.jnt_type[element_id(model, "joint", name)]) for name in entry.elements or ()}
    unit = {frozenset([_HINGE]): "rad", frozenset([_SLIDE]): "m"}.get(frozenset(kinds), "")
    return f"{unit}/s" if unit and field == "qvel" else unit


def _width(entry: Randomisation, model: Any) -> int:
    """Returns how many numbers are drawn for a row: a vector is turned as a whole."""
    if entry.mode == "turn":
        return 1
    return len(entry.columns) if entry.columns is not None else table_shape(model, entry.fields[0])[1]
