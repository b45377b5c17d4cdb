"""Flags with names of the user's own in them, such as `--env.sensors.proprio.noise-std 0.01`.

They fill the fields of settings that are dicts by text: tyro knows only flags that exist beforehand, so these are taken
out of the arguments and built as a preset's values are, with the same strictness.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from robossl.cli.presets import build, plain
from robossl.cli.strict_yaml import load_yaml
from robossl.core import UserError

T = TypeVar("T")

SHORT_PREFIXES = {"randomise": "env.randomise", "sensors": "env.sensors"}
"""What `--randomise.friction` means where the command itself has no such field."""

_NUMBER = re.compile(r"-[\d.]")


def take_mappings(command: T, arguments: Sequence[str]) -> tuple[T, list[str]]:
    """Takes out the flags that reach into a dict of `command`, and returns it with their values, and the other words.

    Raises:
        UserError: if a name below the dict's keys is unknown, or a value is not what it takes.
    """
    rest: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        place = _place(command, flag)
        if place is None:
            rest.append(word)
            continue
        values = [value] if equals else []
        while not equals and words and (not words[0].startswith("-") or _NUMBER.match(words[0])):
            values.append(words.pop(0))
        if not values:
            raise UserError(f"{flag} needs a value")
        where = flag[2 : flag.index(f".{place[1][0]}") if f".{place[1][0]}" in flag else None]
        command = _with_value(command, *place, [load_yaml(text, file=flag) for text in values], where)
    return command, rest


def registry() -> ConstructorRegistry:
    """Returns the rule by which tyro shows a dict as one flag that takes YAML."""
    rules = ConstructorRegistry()

    @rules.primitive_rule
    def dict_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if get_origin(info.type) is not dict:
            return None
        _, kind = get_args(info.type)
        fields = (
            "{" + ",".join(f.name for f in dataclasses.fields(kind)) + "}" if dataclasses.is_dataclass(kind) else ""
        )
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=f".NAME{'.' if fields else ''}{fields} VALUE".replace("_", "-"),
            instance_from_str=lambda texts: build(info.type, load_yaml(texts[0], file="value"), where="value"),
            is_instance=lambda value: isinstance(value, dict),
            str_from_instance=lambda value: [yaml.safe_dump(plain(value), default_flow_style=True).strip()],
        )

    return rules


def _place(command: Any, flag: str) -> tuple[list[str], list[str]] | None:
    """Returns the path of fields to a dict and the keys below it, where the flag reaches into one."""
    if not flag.startswith("--"):
        return None
    path = flag[2:].replace("-", "_").split(".")
    starts = [field.name for field in dataclasses.fields(command) if _is_config(getattr(command, field.name))]
    long = SHORT_PREFIXES.get(path[0], path[0]).split(".") + path[1:]
    for candidate in [path, long, *([start, *path] for start in starts), *([start, *long] for start in starts)]:
        for length in range(1, len(candidate)):
            if isinstance(_value(command, candidate[:length]), dict):
                return candidate[:length], candidate[length:]
    return None


def _is_config(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _value(config: Any, path: list[str]) -> Any:
    for name in path:
        if not _is_config(config) or name not in {field.name for field in dataclasses.fields(config)}:
            return None
        config = getattr(config, name)
    return config


def _with_value(config: Any, path: list[str], keys: list[str], values: list[Any], where: str) -> Any:
    """Returns `config` with the values at `keys` below the dict at `path`."""
    name, *deeper = path
    inner = getattr(config, name)
    if deeper:
        return dataclasses.replace(config, **{name: _with_value(inner, deeper, keys, values, where)})
    data: dict[str, Any] = plain(inner)
    below = data
    for key in keys[:-1]:
        below[key] = dict(below.get(key) or {})
        below = below[key]
    below[keys[-1]] = values[0] if len(values) == 1 else values
    kind = get_type_hints(type(config), include_extras=True)[name]
    return dataclasses.replace(config, **{name: build(kind, data, where=where)})
