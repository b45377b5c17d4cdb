"""Starts OpenGL without a display: EGL where it works, else OSMesa."""

import importlib
import os
import sys
from typing import Any

from robossl.core import UserError
from robossl.core.variables import variables

_PLATFORMS = {"egl": "libegl1", "osmesa": "libosmesa6"}  # mujoco's module, and Debian's package that it needs
_CHOICE = "PYOPENGL_PLATFORM"


class NoGraphicsError(UserError):
    """Reports that OpenGL cannot start on this machine, and what would be needed."""


def open_context(width: int, height: int) -> Any:
    """Opens an off-screen context of at least this size, current in the calling thread.

    Raises:
        NoGraphicsError: saying what is missing, or in the way.
    """
    reasons, chosen = [], _choice()
    for platform, package in _PLATFORMS.items():
        had_worked = f"mujoco.{platform}" in sys.modules
        try:
            with variables(LP_NUM_THREADS="0"):  # the software rasteriser must not start threads of its own
                context = importlib.import_module(f"mujoco.{platform}").GLContext(width, height)
                context.make_current()
                return context
        except Exception as error:  # PyOpenGL raises almost anything when a library is absent
            reasons.append(f"{platform} ({package}): {_reason(error)}")
            if not had_worked:
                _forget_platform(platform)
    if chosen:
        os.environ[_CHOICE] = chosen  # was forgotten where it could not be followed
        if chosen != "egl":
            raise NoGraphicsError(
                f"the gl renderer cannot start with {_CHOICE}={chosen}: unset it, robossl looks for EGL and OSMesa;"
                " or choose the renderer `raycast`, which needs neither"
            )
    raise NoGraphicsError(
        f"the gl renderer cannot start: {'; '.join(reasons)}; install one of these packages,"
        " or choose the renderer `raycast`, which needs none"
    )


def _choice() -> str:
    """Returns which platform PyOpenGL was told to take: by a person, as mujoco's modules do it once they work."""
    has_worked = any(f"mujoco.{platform}" in sys.modules for platform in _PLATFORMS)
    return "" if has_worked else os.environ.get(_CHOICE, "")


def _reason(error: Exception) -> str:
    """Returns one sentence; PyOpenGL reports a library that it did not find as a missing attribute."""
    sentence = " ".join(str(error).split()).partition(". ")[0]
    return "library not found" if isinstance(error, AttributeError) or not sentence else sentence


def _forget_platform(platform: str) -> None:
    """Unloads PyOpenGL if it was bound to this platform, as it is for good when first imported."""
    if os.environ.get(_CHOICE) != platform:
        return
    del os.environ[_CHOICE]
    for name in [name for name in sys.modules if name.partition(".")[0] == "OpenGL" or name == f"mujoco.{platform}"]:
        del sys.modules[name]
