"""Command-line arguments: a preset or a run, then dotted overrides, parsed by tyro into typed dataclasses."""

import contextlib
import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import tyro

from robossl.cli.mappings import registry, take_mappings
from robossl.cli.parser_output import error_line, fitting_terminal
from robossl.cli.presets import absent_parts, flag_names
from robossl.core import UsageError
from robossl.core.errors import suggestion

T = TypeVar("T")

FLAT = tyro.conf.arg(name="")
"""Annotates a field whose own fields become flags without a prefix."""


def split_positional(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the leading word that is not a flag (a preset, a run, an id), and the rest.

    Raises:
        UsageError: if that word is empty, as that of a variable that is not set.
    """
    rest = list(arguments)
    if rest and not rest[0].strip():
        raise UsageError("the first argument is empty: is a variable not set?")
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
            found = next(words, "")
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
        else:
            rest.append(word)
            continue
        if not found or found.startswith("-"):
            raise UsageError(f"{name} needs a value")
    return found, rest


def parse(
    command: T,
    arguments: Sequence[str],
    *,
    usage: str,
    description: str,
    shorthands: Mapping[str, str] | None = None,
    others: Sequence[str] = (),
) -> T:
    """Overrides the fields of `command` by the arguments; `--help` prints them all and exits.

    Args:
        command: a dataclass instance that holds the defaults (a preset's values, say).
        arguments: flags only.
        usage: what stands before the flags, e.g. "robossl train [PRESET]".
        description: for `--help`.
        shorthands: {flag: the flag that it stands for}.
        others: flags that the caller took out of the arguments.

    Raises:
        UsageError: one line, with the nearest flag where one is unknown.
    """
    if "--" in arguments:
        raise UsageError("leave out '--': what follows a command are its flags, each with its value")
    shorthands = shorthands or {}
    words = [_written_out(word, shorthands) for word in arguments]
    command, words = take_mappings(command, words)
    require_values(words)
    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output), fitting_terminal():
            parsed, unknown = tyro.cli(
                type(command),
                default=command,
                args=words,
                prog=usage,
                description="\n\n".join([description, *_explained(shorthands)]),
                return_unknown_args=True,
                registry=registry(),
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(error_line(output.getvalue())) from None
    if unknown:
        flag = next((word for word in unknown if word.startswith("-")), unknown[0])
        known = ["--help", *_flags(command), *shorthands, *others]
        raise UsageError(_absent(flag, command) or _unparsed(flag, words, known, usage))
    return parsed


def require_values(words: Sequence[str]) -> None:
    """Refuses values that are empty: as paths they would mean the folder that the command runs in.

    Raises:
        UsageError: naming the first one's flag.
    """
    for flag, value in zip(["", *words], words, strict=False):
        name, equals, rest = value.partition("=")
        if not value.strip() or (equals and not rest.strip() and name.startswith("-")):
            what = name if equals else flag if flag.startswith("-") else "an argument"
            raise UsageError(f"{what} is empty: is a variable not set?")


def _written_out(word: str, shorthands: Mapping[str, str]) -> str:
    name, equals, value = word.partition("=")
    return f"{shorthands.get(name, name)}{equals}{value}"


def _explained(shorthands: Mapping[str, str]) -> list[str]:
    """Returns the part of the help text that says what the shorthands stand for, where there are any."""
    meanings: dict[str, list[str]] = {}
    for name, flag in shorthands.items():
        meanings.setdefault(flag, []).append(name)
    lines = [f"  {', '.join(names):<20} {flag}" for flag, names in meanings.items()]
    return ["\n".join(["Shorthands:", *lines])] if lines else []


def _absent(flag: str, command: Any) -> str | None:
    """Says so where a flag reaches into a part that is not there, such as `augment`; else returns None."""
    for field in dataclasses.fields(command):
        config = getattr(command, field.name)
        for part in absent_parts(config) if dataclasses.is_dataclass(config) else []:
            if re.match(rf"--{re.escape(part)}([.=]|$)", flag):
                return f"unknown argument {flag!r}: there is no {part} here; a preset of your own adds it"
    return None


def _unparsed(flag: str, arguments: list[str], known: list[str], usage: str) -> str:
    """Says why a word was left over: no such flag, or a value that the flag does not take."""
    name, _, value = flag.partition("=")
    if not name.startswith("-"):
        return f"unexpected argument {flag!r}: it is `{usage}`, and flags come after that"
    if name not in known:
        return f"unknown argument {flag!r}{suggestion(name, known)}"
    following = value or " ".join(arguments[arguments.index(flag) + 1 : arguments.index(flag) + 2])
    if not following or following.startswith("-"):  # a switch is named for what it makes of its default
        prefix, dot, last = name[2:].rpartition(".")
        return f"{name} is so already; --{prefix}{dot}no-{last} is the other way"
    return f"{name} does not take {following!r}"


def _flags(command: Any) -> list[str]:
    """Returns all flags; the fields of a command that have fields themselves are `FLAT`."""
    names = []
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        if dataclasses.is_dataclass(value):
            names += flag_names(value)
        else:
            names.append(f"--{field.name.replace('_', '-')}")
    return names
