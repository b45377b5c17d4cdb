"""From MJCF to a compiled model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robossl.core import UserError


def load_model(source: str | Path, edit: Callable[[Any], None] | None = None) -> mujoco.MjModel:
    """Compiles a model.

    Args:
        source: a path to an MJCF file, or MJCF itself.
        edit: changes the `MjSpec` that was read, before it is compiled.

    Raises:
        UserError: if it does not exist or does not compile.
    """
    is_xml = isinstance(source, str) and source.lstrip().startswith("<")
    try:
        spec = mujoco.MjSpec.from_string(source) if is_xml else mujoco.MjSpec.from_file(str(source))
        if edit is not None:
            edit(spec)
        model = spec.compile()
        _require_numbers(model)
        return model
    except (ValueError, OSError, mujoco.FatalError) as error:
        what = "the model" if is_xml else f"the model {source}"
        raise UserError(f"{what} cannot be compiled: {' '.join(str(error).split())}") from error


def require_steps(model: mujoco.MjModel) -> None:
    """Checks that MuJoCo makes a physics step from the model's defaults.

    Raises:
        UserError: with MuJoCo's reason.
    """
    try:
        mujoco.mj_step(model, mujoco.MjData(model))
    except mujoco.FatalError as error:
        raise UserError(f"MuJoCo cannot simulate this model: {' '.join(str(error).split())}") from error


def _require_numbers(model: mujoco.MjModel) -> None:
    """Checks what MuJoCo only warns of, or takes without a word."""
    floats = {name: values for name in dir(model) if _is_floats(values := getattr(model, name))}
    if broken := [name for name, values in floats.items() if np.isnan(values).any()]:
        raise ValueError(f"not all are numbers in {', '.join(broken)}")
    if not model.opt.timestep > 0:
        raise ValueError(f"the timestep must be positive, got {model.opt.timestep:g}")


def _is_floats(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "f"
