"""What tyro prints, made fit for people: help that any terminal can show, errors in one line."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator

from robossl.core.errors import suggestion
from robossl.core.variables import variables

_LEAST_COLUMNS = 40  # tyro's layout never ends in 5
_RULE = re.compile(r"^[─-]{3,}.*$", re.MULTILINE)
_CHOICE = re.compile(r"(invalid choice '(.*)' for argument '.*')\. Expected one of \((.*)\)\.")
_NO_TYPE = re.compile(r"Error parsing (\S+): no type matching (.*) could be instantiated from \[(.*)\]\. Got errors:")


@contextlib.contextmanager
def fitting_terminal() -> Iterator[None]:
    """Tells tyro of a terminal that is wide enough for its layout, and has no colours where `NO_COLOR` is set."""
    told = {"COLUMNS": str(max(_LEAST_COLUMNS, shutil.get_terminal_size().columns))}
    if os.environ.get("NO_COLOR"):  # (no-color.org)
        told["TERM"] = "dumb"
    with variables(**told):
        yield


def error_line(box: str) -> str:
    """Returns what a box of tyro's says in one line, without its title, the option's help and the pointer to help."""
    body = "\n".join(line.strip("│╰ ") for line in box.splitlines()[1:])
    text = next((" ".join(part.split()) for part in _RULE.split(body) if part.strip()), "")
    if choice := _CHOICE.fullmatch(text):
        told, value, known = choice.groups()
        return told + suggestion(value, re.findall(r"'([^']*)'", known))
    if no_type := _NO_TYPE.match(text):
        flag, types, values = no_type.groups()
        return f"{flag} takes {_types(types)}, got {values}"
    return re.sub(r"\[/?bold\]", "", text) or "the arguments cannot be parsed"


def _types(metavar: str) -> str:
    """Returns `{None}|INT` as `INT or None`."""
    return " or ".join(part.strip("{}") for part in reversed(metavar.split("|")))
