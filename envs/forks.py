"""What becomes of things with threads, or a GPU's memory, in a forked child, where these do not exist.

To wait for the threads there would last for ever. `os.fork` makes such a child, and on Linux so does `multiprocessing`
by itself.
"""

import contextlib
import ctypes
import os
import weakref
from typing import Any, NoReturn

from robossl.core import UserError

_THINGS, _KEPT = weakref.WeakSet[Any](), weakref.WeakSet[Any]()


def end_in_children(thing: Any) -> None:
    """Has every later use of a thing in a forked child raise a `UserError`; but it can be closed there."""
    _THINGS.add(thing)


def keep_in_children(thing: Any) -> None:
    """Keeps a thing from being destroyed in a forked child, whatever else becomes of what holds it."""
    _KEPT.add(thing)


class _Lost:
    """What a thing is in a child."""

    def close(self) -> None:
        """Does nothing: the parent frees what there is."""

    def __getattr__(self, name: str) -> NoReturn:
        """Tells what to do instead.

        Raises:
            UserError: always.
        """
        raise UserError(
            "this environment was made before a fork, and its threads or its GPU cannot be used in the child: make it"
            " in the child, or start processes with forkserver or spawn"
        )


def _end_all() -> None:
    for thing in list(_KEPT):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    for thing in list(_THINGS):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(vars(thing)))  # for ever: destructors would wait for the threads
        with contextlib.suppress(TypeError):  # of a class with slots: it waits, but nobody else does
            thing.__class__ = _Lost
            thing.__dict__ = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_end_all)
