"""Imports of modules that need packages which not everybody has."""

import importlib
from types import ModuleType

from robossl.core import UserError

_EXTRAS = {"warp": "warp", "mujoco_warp": "warp"}


def imported(what: str, module: str) -> ModuleType:
    """Imports the module behind something that can be chosen, `what`.

    Raises:
        UserError: naming the package that is missing, and how to get it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = str(error.name)
        how = f": pip install 'robossl[{_EXTRAS[package]}]'" if package in _EXTRAS else ""
        raise UserError(f"{what} needs the package {package}, which is not installed{how}") from error
