"""Of what kinds the things are that a task declares: a wrong one is told before anything counts on it."""

import math
from collections.abc import Mapping

from robossl.core import ArraySpec, CameraSpec, CommandSpec, UserError
from robossl.envs.fitting import fit
from robossl.envs.sensors.sensor import Sensor
from robossl.envs.task import TaskSpec


def fit_spec(spec: object) -> None:
    """Gives what a task declares the types that it is to have, but its randomisations: lists become tuples, say.

    Raises:
        UserError: for the first thing that does not fit, or makes no sense whatever the model is.
    """
    if not isinstance(spec, TaskSpec):
        raise UserError(f"the task's spec is a {type(spec).__name__}, expected a TaskSpec")
    fit(spec, TaskSpec, "the task's ", but=("sensors", "randomisations"), is_option=False)
    if not isinstance(spec.sensors, Mapping):
        raise UserError(f"the task's sensors must be a dict, got {spec.sensors!r}")
    for key, sensor in spec.sensors.items():
        if not isinstance(sensor, Sensor):
            raise UserError(f"the task's sensor {key!r} must be a Sensor, got {sensor!r}")
    for key, array in [("action", spec.action), *spec.vectors.items(), *spec.privileged.items()]:
        _fit_array(f"the task's {key!r}: ", array)
    if not spec.action.shape:
        raise UserError("the task's action must be a vector, got a shape of ()")
    for camera in spec.cameras:
        _fit_camera(camera)
    for command in spec.commands:
        fit(command, CommandSpec, f"the task's command {command.name!r}: ", is_option=False)


def _fit_array(prefix: str, array: ArraySpec) -> None:
    fit(array, ArraySpec, prefix, is_option=False)
    if min(array.shape, default=0) < 0:
        raise UserError(f"{prefix}a shape must not be negative, got {array.shape}")
    if not array.low <= array.high:
        raise UserError(f"{prefix}bounds go from low to high, got {array.low:g} to {array.high:g}")


def _fit_camera(camera: CameraSpec) -> None:
    prefix = f"the task's camera {camera.name!r}: "
    fit(camera, CameraSpec, prefix, is_option=False)
    if min(camera.width, camera.height) < 1:
        raise UserError(f"{prefix}pictures must have a pixel at least, got {camera.width} x {camera.height}")
    if not math.isfinite(camera.shift_m):
        raise UserError(f"{prefix}shift_m must be finite, got {camera.shift_m:g}")
