"""From MJCF to a compiled model."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robossl.core import UserError

_HOLDERS = ("opt", "stat", "vis", "global_", "headlight", "map", "rgba", "scale")  # of numbers in a model


def scene_file(folder: str, name: str) -> Path:
    """Returns where an MJCF file is that comes with robossl."""
    return Path(str(files("robossl.assets") / folder / name))


def load_model(source: str | Path, edit: Callable[[Any], None] | None = None) -> mujoco.MjModel:
    """Compiles a model.

    Args:
        source: a path to an MJCF file, or MJCF itself.
        edit: changes the `MjSpec` that was read, before it is compiled.

    Raises:
        UserError: if it does not exist or does not compile.
    """
    silence_warnings()
    is_xml = isinstance(source, str) and source.lstrip().startswith("<")
    try:
        spec = mujoco.MjSpec.from_string(source) if is_xml else mujoco.MjSpec.from_file(str(source))
        if edit is not None:
            edit(spec)
        model = spec.compile()
        require_numbers(model)
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


def silence_warnings() -> None:
    """Keeps MuJoCo from printing warnings and writing MUJOCO_LOG.TXT, unless somebody else does something with them.

    What matters is told by its errors, and by counters.
    """
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(lambda message: None)


def require_numbers(model: mujoco.MjModel) -> None:
    """Checks what MuJoCo only warns of, or takes without a word.

    Raises:
        ValueError: if something is no number, an option is not finite, or time stands still.
    """
    if broken := [name for name, values in _floats(model, _HOLDERS) if np.isnan(values).any()]:
        raise ValueError(f"not all are numbers in {', '.join(broken)}")
    if broken := [name for name, values in _floats(model.opt, ()) if not np.isfinite(values).all()]:
        raise ValueError(f"options must be finite, and {', '.join(broken)} is not")
    if not model.opt.timestep > 0:
        raise ValueError(f"the timestep must be positive, got {model.opt.timestep:g}")


def _floats(holder: Any, parts: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yields (name, value) of all fractions, and arrays of such, of a struct of MuJoCo's, and of its `parts`."""
    for name in dir(holder):
        value = getattr(holder, name)
        if isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
            yield name, value
        elif name in parts:
            yield from ((f"{name}.{inner}", found) for inner, found in _floats(value, parts))
