"""Presets: YAML files that hold only what differs from the dataclass defaults.

A preset belongs to one verb (`configs/train/quickstart.yaml`); `extends:` names one parent. `kind:` chooses among the
members of a union. Unknown keys, lossy casts and wrong types are errors that name the nearest key.
"""

import dataclasses
import os
import types
import typing
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml

from robossl.cli.strict_yaml import load_yaml
from robossl.core import UnknownNameError, UserError

T = TypeVar("T")
_SUFFIXES = (".yaml", ".yml")


def preset_names(verb: str) -> list[str]:
    """Returns the names of the verb's presets."""
    folder = files("robossl.configs").joinpath(verb)
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_preset(verb: str, name: str, config_type: type[T]) -> T:
    """Builds the verb's config from a preset's name, or from the path of a YAML file (a run's config.yaml).

    Raises:
        UserError: if there is no such preset or file, or a key or value in it is wrong.
    """
    config: T = build(config_type, _raw(verb, name), where=name)
    return config


def dump(config: Any) -> str:
    """Returns the config as YAML that `load_preset` reads back to an equal config."""
    return str(yaml.safe_dump(plain(config), sort_keys=False))


def build(config_type: Any, data: Any, *, where: str) -> Any:
    """Builds a value of the annotated type from plain YAML values.

    Raises:
        UserError: naming the key, what it got, and what it takes.
    """
    origin, args = get_origin(config_type), get_args(config_type)
    if origin is typing.Annotated:
        return build(args[0], data, where=where)
    if origin in (Union, types.UnionType):
        return _build_union(args, data, where)
    if origin is Literal:
        if data not in args:
            raise UnknownNameError(f"value of {where}:", str(data), map(str, args))
        return data
    if origin is tuple:
        return _build_tuple(args, data, where)
    if origin is dict:
        if not isinstance(data, dict):
            raise UserError(f"{where}: expected keys and values, got {data!r}")
        return {str(key): build(args[1], item, where=f"{where}.{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(config_type):
        return _build_dataclass(config_type, data, where)
    return _build_scalar(config_type, data, where)


def flag_names(config: Any) -> list[str]:
    """Returns every dotted flag that overrides a field of `config`, as typed on the command line."""
    return [f"--{name}" for name, is_there in _fields(config) if is_there]


def absent_parts(config: Any) -> list[str]:
    """Returns the dotted names of the parts that `config` could have and has not: no flag reaches into them."""
    return [name for name, is_there in _fields(config) if not is_there]


def _fields(config: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Returns the dotted names of all fields that have none themselves, and whether a flag overrides them."""
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name.replace('_', '-')}"
        items = {"": value}
        if isinstance(value, tuple) and value and all(dataclasses.is_dataclass(item) for item in value):
            items = {f".{i}": item for i, item in enumerate(value)}
        for suffix, item in items.items():
            if dataclasses.is_dataclass(item):
                yield from _fields(item, f"{name}{suffix}.")
            else:
                yield f"{name}{suffix}", item not in (None, ()) or not _holds_config(hints[field.name])


def _holds_config(kind: Any) -> bool:
    """Tells whether a type is a config, or may hold one that is no entry of a dict."""
    is_dict = get_origin(kind) is dict
    return dataclasses.is_dataclass(kind) or (not is_dict and any(_holds_config(part) for part in get_args(kind)))


def _raw(verb: str, name: str, heirs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Reads a preset's values, those of its parents below them; `heirs` are the presets that extend it."""
    if any(os.path.realpath(name) == os.path.realpath(heir) for heir in heirs):
        raise UserError(f"{heirs[-1]}: extends {name}, which extends it")
    path = _expanded(name, name)
    if path.suffix in _SUFFIXES:
        if not path.is_file():
            asked = f"{heirs[-1]} extends {name}, which" if heirs else str(path)
            raise UserError(f"{asked} {'is no file' if path.exists() else 'does not exist'}")
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error
    else:
        known = preset_names(verb)
        if name not in known:
            raise UnknownNameError(f"preset of {verb}:", name, known)
        text = files("robossl.configs").joinpath(verb, f"{name}.yaml").read_text()
    data = load_yaml(text, file=name) or {}
    if not isinstance(data, dict):
        raise UserError(f"{name}: expected keys and values, got {type(data).__name__}")
    parent = data.pop("extends", None)
    if parent is None:
        return data
    if not isinstance(parent, str):
        raise UserError(f"{name}: extends takes one preset's name, got {parent!r}")
    beside = path.parent / parent  # what a file extends lies beside it, or where the command runs
    is_beside = beside.suffix in _SUFFIXES and beside.is_file()
    return _merged(_raw(verb, str(beside) if is_beside else parent, (*heirs, name)), data)


def _expanded(path: str, where: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # of a user that there is not
        raise UserError(f"{where}: {path!r}: {error}") from error


def _merged(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    merged = dict(parent)
    for key, value in child.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
            value = _merged(old, value)
        merged[key] = value
    return merged


def _build_union(args: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in args:
        return None
    members = [member for member in args if member is not type(None)]
    if len(members) == 1:
        return build(members[0], data, where=where)
    if isinstance(data, dict):
        kinds = {_kind(member): member for member in members if dataclasses.is_dataclass(member)}
        kind = data.get("kind")
        if not kinds:
            raise UserError(f"{where}: cannot be {data!r}")
        if kind not in kinds:
            raise UnknownNameError(f"kind of {where}:", str(kind), kinds)
        return build(kinds[kind], data, where=where)
    for member in members:
        try:
            return build(member, data, where=where)
        except UserError:
            continue
    raise UserError(f"{where}: cannot be {data!r}")


def _kind(config_type: Any) -> str:
    return str(next(field.default for field in dataclasses.fields(config_type) if field.name == "kind"))


def _build_tuple(args: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise UserError(f"{where}: expected a list, got {data!r}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(build(args[0], item, where=f"{where}.{i}") for i, item in enumerate(data))
    if len(args) != len(data):
        raise UserError(f"{where}: expected {len(args)} values, got {data!r}")
    return tuple(build(arg, item, where=f"{where}.{i}") for i, (arg, item) in enumerate(zip(args, data, strict=True)))


def _build_dataclass(config_type: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise UserError(f"{where}: expected keys and values, got {data!r}")
    hints = typing.get_type_hints(config_type, include_extras=True)
    fields = {field.name for field in dataclasses.fields(config_type) if field.init}
    values = {}
    for key, value in data.items():
        name = str(key).replace("-", "_")
        if name not in fields:
            raise UnknownNameError(f"key in {where}:", str(key), fields)
        if name in values:
            raise UserError(f"{where}: {str(key)!r} stands there twice")
        values[name] = build(hints[name], value, where=f"{where}.{key}")
    return config_type(**values)


def _build_scalar(config_type: Any, data: Any, where: str) -> Any:
    if config_type is Path and isinstance(data, str):
        return _expanded(data, where)
    exact = isinstance(data, config_type) and not (isinstance(data, bool) and config_type is not bool)
    if exact:
        return data
    if config_type is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if config_type is float and isinstance(data, str):  # YAML 1.1 reads 1e-3 as text
        try:
            return float(data)
        except ValueError:
            pass
    raise UserError(f"{where}: expected {getattr(config_type, '__name__', config_type)}, got {data!r}")


def plain(value: Any) -> Any:
    """Returns a config as dicts, lists and scalars."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value
