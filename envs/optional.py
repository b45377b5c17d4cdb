"""Imports of modules that need packages which not everybody has."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from robossl.core import UserError
from robossl.core.packages import how_to_install


def imported(what: str, module: str) -> ModuleType:
    """Imports the module behind something that can be chosen, `what`.

    Raises:
        UserError: naming the package that is missing, and how to get it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = str(error.name)
        how = how_to_install(package)
        text = f"{what} needs the package {package}, which is not installed"
        raise UserError(f"{text}: {how}" if how else text) from error


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
