"""Imports of modules that need packages which not everybody has."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def silenced() -> Iterator[None]:
    """Keeps native libraries from printing on the standard error within the block."""
    errors, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(errors, 2)
        os.close(errors)
        os.close(nowhere)
