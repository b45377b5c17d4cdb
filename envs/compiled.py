"""Compiles what runs at every step to machine code: one call instead of dozens of numpy's.

Numba compiles a function at its first call, for the types it is called with, and keeps the result on disk beside the
source, or in the user's cache where that folder cannot be written. A compiled function knows of changes in its own
file only: it calls no compiled function of another module, and uses no number of one (tests/test_architecture.py).
Arithmetic is IEEE's, in the order that is written, so numbers depend neither on threads nor on other worlds.
"""

import contextlib
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import serialize, types
from numba.extending import typeof_impl

from robossl.core import UserError
from robossl.core.files import exclusive

Function = TypeVar("Function", bound=Callable[..., Any])

# Whenever compiled code returns an array, Numba asks a Python function of its own for the array's class. Python may
# look for signals there, where nobody sees that Ctrl-C raised KeyboardInterrupt: it became a SystemError.
if hasattr(serialize, "_numba_unpickle"):
    serialize._numba_unpickle = functools.cache(serialize._numba_unpickle)


def compiled(function: Function) -> Function:
    """Compiles loops over numpy arrays; other threads run meanwhile. Indices are not checked."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        dispatcher: Any = numba.njit(function, cache=True, **options)
    except RuntimeError:  # neither folder can be written: it is compiled anew by every process
        return cast(Function, numba.njit(function, **options))
    if dispatcher is function:  # NUMBA_DISABLE_JIT: to look for mistakes
        return function
    _watch(dispatcher._cache)
    return cast(Function, dispatcher)


def inlined(function: Function) -> Function:
    """Compiles a function as a part of those that call it: handing arrays to another one takes up to 0.2 us."""
    return cast(Function, numba.njit(function, inline="always", error_model="numpy"))


def _watch(cache: Any) -> None:
    """Tells of compilation, and has processes save in turn: else one may find the other's code in its place.

    What cannot be saved, as on a full disk, runs all the same.
    """
    load, save = cache.load_overload, cache.save_overload

    def load_or_tell(*arguments: Any) -> Any:
        found = load(*arguments)
        if found is None:
            _tell()
        return found

    def save_alone(*arguments: Any) -> None:
        lock = Path(cache.cache_path) / ".compiled.lock"
        with contextlib.suppress(OSError, UserError), exclusive(lock, lambda: None):
            save(*arguments)

    cache.load_overload, cache.save_overload = load_or_tell, save_alone


@functools.cache
def _tell() -> None:
    """Says once, to a person, what takes so long."""
    if sys.stderr.isatty():
        sys.stderr.write("\rcompiling what runs at every step: some seconds, once on this machine\n")


class _Fused:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain, self.inlined = function, numba.njit(function, inline="always")
        self._in_numpy = compiled(_in_numpy(function, self.inlined))
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, xp: Any, *arrays: Any) -> Any:
        return self._in_numpy(*arrays) if xp is np else self.plain(xp, *arrays)


def _in_numpy(function: Callable[..., Any], inlined: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function without its first parameter, as numba takes 4 us to recognise a module.

    To numba's cache it stands where the function does.
    """
    code, scope = function.__code__, {"np": np, "inlined": inlined, "__name__": function.__module__}
    names = ", ".join(code.co_varnames[1 : code.co_argcount])
    source = "\n" * (code.co_firstlineno - 1) + f"def {function.__name__}({names}): return inlined(np, {names})"
    exec(compile(source, code.co_filename, "exec"), scope)
    return cast(Callable[..., Any], scope[function.__name__])


def fused(function: Function) -> Function:
    """Compiles array code for numpy; torch runs the same lines operation by operation.

    The first parameter is the namespace. In numpy a Python float makes float64 of float32.
    """
    return cast(Function, _Fused(function))


@typeof_impl.register(_Fused)
def _type_of_fused(value: _Fused, context: Any) -> Any:
    """Tells numba how one fused function calls another."""
    return types.Dispatcher(value.inlined)
