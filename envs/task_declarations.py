"""What a task declares, held against its model and against itself, before anything runs."""

import math
from collections.abc import Mapping
from typing import Any, get_args

import mujoco

from robossl.core import UnknownNameError, UserError
from robossl.core.errors import require_known
from robossl.core.specs import LOOK, TRUTH_PREFIX
from robossl.envs.declared_kinds import fit_spec
from robossl.envs.elements import element_id
from robossl.envs.field_changes import FieldChange
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS
from robossl.envs.mujoco_model import require_numbers
from robossl.envs.observable import picture_keys
from robossl.envs.randomisation import AnyRandomisation, Push, Randomisation
from robossl.envs.render.renderer import camera_index
from robossl.envs.task import TaskSpec


def require_spec(spec: TaskSpec, model: Any) -> None:
    """Checks what a task declares against its model.

    Raises:
        UserError: if decisions do not last as long as their physics steps, if there is no field or camera of a name, or
            if one part of the spec contradicts another.
    """
    if not isinstance(model, mujoco.MjModel):
        raise UserError(f"the task's build_model returns {type(model).__name__}, expected a compiled MjModel")
    try:
        require_numbers(model)
    except ValueError as error:
        raise UserError(f"the task's model: {error}") from error
    fit_spec(spec)
    _require_times(spec, model)
    require_known("field that a task can randomise", spec.random_fields, RANDOM_FIELDS)
    _require_randomisations(spec, model)
    _require_names(spec)
    _require_cameras(spec, model)
    _require_vectors(spec)


def _require_times(spec: TaskSpec, model: Any) -> None:
    for name in ("num_substeps", "max_episode_steps"):
        value = getattr(spec, name)
        if value < 1:
            raise UserError(f"the task's {name} must be at least 1, got {value}")
    if not 0 < spec.control_hz < math.inf:
        raise UserError(f"the task's control_hz must be positive, got {spec.control_hz}")
    decision_s, period_s = spec.num_substeps * float(model.opt.timestep), 1 / spec.control_hz
    if not math.isclose(decision_s, period_s, rel_tol=1e-6):
        raise UserError(
            f"the task decides every {period_s:g} s, and {spec.num_substeps} physics steps of {model.opt.timestep:g} s"
            f" last {decision_s:g} s"
        )


def _require_cameras(spec: TaskSpec, model: Any) -> None:
    for camera in spec.cameras:
        camera_index(model, camera)
    names = [camera.name for camera in spec.cameras]
    if names and spec.viewer_camera not in names:
        raise UnknownNameError("camera for a person's videos", spec.viewer_camera, names)


def _require_names(spec: TaskSpec) -> None:
    cameras = [camera.name for camera in spec.cameras]
    pictures = picture_keys(spec.cameras)
    for name in map(str, (*spec.vectors, *spec.sensors, *cameras, *spec.randomisations)):
        if not name or "." in name:
            raise UserError(f"the task declares {name!r}: a name is not empty and holds no full stop")
    if twice := [name for name in cameras if cameras.count(name) > 1]:
        raise UserError(f"the task declares camera {twice[0]!r} twice")
    for key in (*spec.vectors, *spec.sensors):
        if key in pictures:
            raise UserError(f"the task declares {key!r} as no picture, and it is the key of one")
        if key.startswith(TRUTH_PREFIX) or LOOK.match(key):
            raise UserError(f"the task declares {key!r}: datasets keep what begins so for truth and other looks")


def _require_vectors(spec: TaskSpec) -> None:
    if both := sorted(spec.vectors.keys() & spec.sensors.keys()):
        raise UserError(f"the task declares {both[0]!r} as a vector and as a sensor")
    if (spec.action.low, spec.action.high) != (-1, 1):
        raise UserError(
            f"the task's actions must be declared as -1 to 1, got {spec.action.low:g} to {spec.action.high:g}"
        )
    for key, array in {**spec.vectors, "action": spec.action}.items():
        if array.dtype != "float32":
            raise UserError(f"the task declares {key!r} as {array.dtype}: vectors and actions are float32")
        for what, told in {"names": array.names, "units": array.units}.items():
            if told and len(array.shape) == 1 and len(told) != array.shape[0]:
                raise UserError(f"the task tells {len(told)} {what} of {key!r}, which has {array.shape[0]} elements")
    for command in spec.commands:
        if command.source is not None and not 0 <= command.source < math.prod(spec.action.shape):
            raise UserError(f"the task's command {command.name!r} is made of action {command.source}: there is none")


def _require_randomisations(spec: TaskSpec, model: Any) -> None:
    declared: Mapping[str, AnyRandomisation] = spec.randomisations
    if not isinstance(declared, Mapping):
        raise UserError(f"the task's randomisations must be a dict, by names of your own, got {declared!r}")
    for name, entry in declared.items():
        if not isinstance(entry, AnyRandomisation):
            kinds = ", ".join(kind.__name__ for kind in get_args(AnyRandomisation))
            raise UserError(f"the task's randomisation {name!r} must be one of {kinds}, got {entry!r}")
        if isinstance(entry, Randomisation):
            require_known("field that a task can randomise", entry.fields, RANDOM_FIELDS | STATE_FIELDS)
        try:
            if isinstance(entry, Push):
                _require_movable(entry.body, model)
            elif isinstance(entry, Randomisation):
                for field in entry.fields:
                    FieldChange(model, field, entry, spec.random_fields)
        except UserError as error:
            raise UserError(f"the task's randomisation {name!r}: {error}") from error


def _require_movable(body: str, model: Any) -> None:
    if not model.body_dofnum[model.body_weldid[element_id(model, "body", body)]]:
        raise UserError(f"a push does nothing to body {body!r}, which cannot move")
