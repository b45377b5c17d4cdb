"""Stops the clock of MuJoCo's timers while an engine computes.

In Python MuJoCo times each part of each step (`MjData.timer`): some twenty looks at the clock, which are 8 to 17 % of a
step of our tasks. Nobody can read the timers of a batch. Those of other threads that step meanwhile are not to be used;
else code that is not ours keeps its timers.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import mujoco._structs
import numba

_STANDING: list[tuple[int, Any]] = []  # its address; the clock is kept for as long as MuJoCo may call it
_COMPILING = threading.Lock()


def untimed(function: Callable[..., Any], **options: Any) -> Any:
    """Calls a function of MuJoCo's with the clock stopped.

    Other threads may be within MuJoCo meanwhile: there is a clock to call at every moment.
    """
    clock, still = _clock(), _standing()
    running = clock.value
    if running is None or running == still:
        return function(**options)
    clock.value = still
    try:
        return function(**options)
    finally:
        clock.value = running


@cache
def _clock() -> ctypes.c_void_p:
    """Returns MuJoCo's global variable `mjcb_time`; a null pointer of its own where it is not found."""
    # The library is named for its version; a name in it is found through a module that needs it, but not on Windows.
    library = "mujoco.dll" if os.name == "nt" else mujoco._structs.__file__
    try:
        return ctypes.c_void_p.in_dll(ctypes.CDLL(library), "mjcb_time")
    except (OSError, ValueError):
        return ctypes.c_void_p()


def _standing() -> int:
    """Returns the address of the one clock that stands still, which MuJoCo can call without Python."""
    if not _STANDING:
        with _COMPILING:
            if not _STANDING:
                still: Any = numba.cfunc("float64()")(lambda: 0.0)
                _STANDING.append((still.address, still))
    return _STANDING[0][0]
