"""Errors that a person caused and can fix: the command line prints them as one line and exits with a code."""

import difflib
from collections.abc import Collection, Iterable


class UserError(Exception):
    """Reports a mistake in what the user typed, configured or handed over; its text is one complete line."""


class UsageError(UserError):
    """Reports a mistake in the arguments of a command; the exit code is 2."""


class UnknownNameError(UsageError):
    """Reports a name that is not in a list of known names, with the nearest one."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {what} {name!r}{suggestion(name, known)}")


def require_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Checks that names are in a list.

    Raises:
        UnknownNameError: naming the first that is not.
    """
    for name in names:
        if name not in known:
            raise UnknownNameError(what, name, known)


class CorruptFileError(UserError):
    """Reports a file whose content is not what was written: truncated, changed, or of another format."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns '; did you mean X?' for the nearest known name, or the list of known names where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
