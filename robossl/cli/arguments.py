"""Command-line arguments: a preset or a run, then dotted overrides, parsed by tyro into typed dataclasses."""

import contextlib
import dataclasses
import io
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

from robossl.cli.presets import flag_names
from robossl.core import UserError
from robossl.core.errors import suggestion

T = TypeVar("T")

FLAT = tyro.conf.arg(name="")
"""Annotates a field whose own fields become flags without a prefix."""


class UsageError(UserError):
    """Reports a mistake in the arguments; the exit code is 2."""


def split_positional(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the leading word that is not a flag (a preset, a run, an id), and the rest."""
    rest = list(arguments)
    return (rest.pop(0), rest) if rest and not rest[0].startswith("-") else (None, rest)


def take_option(arguments: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """Takes `--name VALUE` or `--name=VALUE` out of the arguments.

    Raises:
        UsageError: if the value is missing.
    """
    rest, found = [], None
    words = iter(arguments)
    for word in words:
        if word == name:
            found = next(words, None)
            if found is None:
                raise UsageError(f"{name} needs a value")
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
        else:
            rest.append(word)
    return found, rest


def parse(command: T, arguments: Sequence[str], *, usage: str, description: str) -> T:
    """Overrides the fields of `command` by the arguments; `--help` prints them all and exits.

    Args:
        command: a dataclass instance that holds the defaults (a preset's values, say).
        arguments: flags only.
        usage: what stands before the flags, e.g. "robossl train [PRESET]".
        description: for `--help`.

    Raises:
        UsageError: one line, with the nearest flag where one is unknown.
    """
    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            parsed, unknown = tyro.cli(
                type(command),
                default=command,
                args=list(arguments),
                prog=usage,
                description=description,
                return_unknown_args=True,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(_one_line(output.getvalue())) from None
    if unknown:
        flag = next((word for word in unknown if word.startswith("-")), unknown[0])
        raise UsageError(_unparsed(flag, list(arguments), _known_flags(command)))
    return parsed


def _unparsed(flag: str, arguments: list[str], known: list[str]) -> str:
    """Says why a word was left over: no such flag, or a value that the flag does not take."""
    name, _, value = flag.partition("=")
    if name not in known:
        return f"unknown argument {flag!r}{suggestion(name, known)}"
    following = arguments[arguments.index(flag) + 1 : arguments.index(flag) + 2]
    return f"{name} does not take {value or ' '.join(following) or 'nothing'!r}"


def _known_flags(command: Any) -> list[str]:
    """Returns all flags; a field called `config` is flattened, as tyro does."""
    names = ["--help"]
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        if field.name == "config":
            names += flag_names(value)
        else:
            names.append(f"--{field.name.replace('_', '-')}")
    return names


def _one_line(box: str) -> str:
    """Joins tyro's box of lines into one, without its frame and its pointer to the help text."""
    lines = [re.sub(r"[╭╮╰╯│─]", "", line).strip() for line in box.splitlines()]
    words = [
        line for line in lines if line and not line.startswith(("For full helptext", "Parsing error", "Value error"))
    ]
    if "Argument helptext:" in words:
        words = words[: words.index("Argument helptext:")]
    return " ".join(words) or "the arguments cannot be parsed"
