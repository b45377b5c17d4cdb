"""Errors that a person caused and can fix: the command line prints them as one line and exits with a code."""

import difflib
from collections.abc import Collection, Iterable
from itertools import takewhile


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
    """Returns '; did you mean X?' for the nearest known name, or the list of known names where none is near.

    How all of them begin and end, as `robossl/...-v0`, makes none of them near, unless the whole name is nearly one.
    """
    names = sorted(known)
    begin, end = _common(names) if len(names) > 1 else ("", "")
    own = {known.removeprefix(begin).removesuffix(end): known for known in names}
    near = difflib.get_close_matches(name.removeprefix(begin).removesuffix(end), own, n=1, cutoff=0.5)
    found = [own[part] for part in near] or difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return f"; did you mean {found[0]!r}?" if found else f"; known: {', '.join(names)}"


def _common(names: list[str]) -> tuple[str, str]:
    """Returns how all names begin, and how all that is left of them ends."""
    begin = _start(names)
    return begin, _start([name[len(begin) :][::-1] for name in names])[::-1]


def _start(names: list[str]) -> str:
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)
