"""Compiles what runs at every step to machine code: one call instead of dozens of numpy's.

Numba compiles a function at its first call, for the types it is called with, and keeps the result on disk beside the
source, or in the user's cache where that folder cannot be written. A compiled function knows of changes in its own
file only: it calls no compiled function of another module, and uses no number of one (tests/test_architecture.py).
Arithmetic is IEEE's, in the order that is written, so numbers depend neither on threads nor on other worlds.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import typeof_impl

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles loops over numpy arrays; other threads run meanwhile."""
    return cast(Function, numba.njit(function, cache=True, nogil=True, error_model="numpy"))


class _Fused:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain, self.compiled = function, compiled(function)
        self._in_numpy = compiled(_in_numpy(function, self.compiled))
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, xp: Any, *arrays: Any) -> Any:
        return self._in_numpy(*arrays) if xp is np else self.plain(xp, *arrays)


def _in_numpy(function: Callable[..., Any], machine_code: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function without its first parameter: by that alone numba would take 4 us to know its types.

    To numba's cache it stands in the function's file. What it calls is no closure: the cache would not know one again.
    """
    code = _call_in_numpy.__code__.replace(
        co_filename=function.__code__.co_filename, co_firstlineno=function.__code__.co_firstlineno
    )
    entry = FunctionType(code, {"np": np, "machine_code": machine_code, "__name__": function.__module__})
    entry.__qualname__ = f"{function.__qualname__}.in_numpy"
    return entry


machine_code: Any = None  # in what `_in_numpy` returns: the function's


def _call_in_numpy(*arrays: Any) -> Any:
    return machine_code(np, *arrays)


def fused(function: Function) -> Function:
    """Compiles array code for numpy; torch runs the same lines operation by operation.

    The first parameter is the namespace. In numpy a Python float makes float64 of float32.
    """
    return cast(Function, _Fused(function))


@typeof_impl.register(_Fused)
def _type_of_fused(value: _Fused, context: Any) -> Any:
    """Tells numba how one fused function calls another."""
    return types.Dispatcher(value.compiled)
