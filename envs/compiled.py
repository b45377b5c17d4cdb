"""Compiles what runs at every step to machine code: one call instead of dozens of numpy's.

Numba compiles a function at its first call, for the types it is called with, and keeps the result on disk beside the
source, or in the user's cache where that folder cannot be written. A compiled function knows of changes in its own
file only: it calls no compiled function of another module, and uses no number of one (tests/test_architecture.py).
Arithmetic is IEEE's, in the order that is written, so numbers depend neither on threads nor on other worlds.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import NativeValue, typeof_impl, unbox

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles loops over numpy arrays; other threads run meanwhile."""
    return cast(Function, numba.njit(function, cache=True, nogil=True, error_model="numpy"))


class _Fused:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain, self.compiled = function, compiled(function)
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, xp: Any, *arrays: Any) -> Any:
        return (self.compiled if xp is np else self.plain)(xp, *arrays)


def fused(function: Function) -> Function:
    """Compiles array code for numpy; torch runs the same lines operation by operation.

    The first parameter is the namespace. In numpy a Python float makes float64 of float32.
    """
    return cast(Function, _Fused(function))


@typeof_impl.register(_Fused)
def _type_of_fused(value: _Fused, context: Any) -> Any:
    """Tells numba how one fused function calls another."""
    return types.Dispatcher(value.compiled)


@typeof_impl.register(ModuleType)
def _type_of_namespace(value: ModuleType, context: Any) -> Any:
    """Tells numba what a namespace is that is passed as an argument."""
    return types.Module(value)


@unbox(types.Module)
def _unbox_namespace(kind: Any, value: Any, context: Any) -> Any:
    return NativeValue(context.context.get_dummy_value())
