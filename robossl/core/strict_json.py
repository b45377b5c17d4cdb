"""From JSON to frozen dataclasses and back: nothing unknown, missing, of the wrong type or not finite passes."""

import dataclasses
import json
import math
import types
from functools import cache
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from robossl.core.errors import UserError, suggestion

T = TypeVar("T")


def parse_json(text: bytes, *, file: str) -> Any:
    """Reads JSON as its standard has it: no NaN, no infinity, no key twice.

    Raises:
        UserError: naming the file.
    """
    try:
        return json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not valid JSON: {' '.join(str(error).split())[:200]}") from error


def read_dataclass(kind: type[T], text: bytes, *, file: str) -> T:
    """Reads one dataclass; see `from_json`."""
    return from_json(kind, parse_json(text, file=file), file=file)


def from_json(kind: type[T], value: Any, *, file: str) -> T:
    """Builds a dataclass of scalars, Literals, tuples, dicts by text, and dataclasses, from JSON values.

    A union of dataclasses is told apart by their field `kind`. Fields with a default may be left out.

    Raises:
        UserError: one line with file and key, for the first thing that does not fit.
    """
    built: T = _read(kind, value, file, "")
    return built


def to_json(value: Any) -> Any:
    """Returns a dataclass as JSON values that `from_json` reads back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _read(kind: Any, value: Any, file: str, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, file, key)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(parts, value, file, key)
    if origin is Literal:
        return value if value in parts and not isinstance(value, bool) else _fail(file, key, _known(parts), value)
    if origin is tuple:
        return _read_tuple(parts, value, file, key)
    if origin is dict:
        items = value.items() if isinstance(value, dict) else _fail(file, key, "an object", value)
        return {name: _read(parts[1], item, file, _joined(key, name)) for name, item in items}
    return _read_scalar(kind, value, file, key)


def _read_dataclass(kind: Any, value: Any, file: str, key: str) -> Any:
    if not isinstance(value, dict):
        _fail(file, key, "an object", value)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise UserError(f"{file}: unknown key {_joined(key, name)!r}{suggestion(name, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise UserError(f"{file}: key {_joined(key, name)!r} is missing")
    hints = _hints(kind)
    arguments = {name: _read(hints[name], item, file, _joined(key, name)) for name, item in value.items()}
    try:
        return kind(**arguments)
    except UserError as error:
        raise UserError(f"{file}: {key + ': ' if key else ''}{error}") from error


def _read_union(parts: tuple[Any, ...], value: Any, file: str, key: str) -> Any:
    if value is None and types.NoneType in parts:
        return None
    choices = [part for part in parts if part is not types.NoneType]
    if len(choices) == 1:
        return _read(choices[0], value, file, key)
    named = {get_args(_hints(choice)["kind"])[0]: choice for choice in choices}
    chosen = value.get("kind") if isinstance(value, dict) else _fail(file, key, "an object", value)
    if not isinstance(chosen, str) or chosen not in named:
        _fail(file, _joined(key, "kind"), _known(tuple(named)), chosen)
    return _read(named[chosen], value, file, key)


def _read_tuple(parts: tuple[Any, ...], value: Any, file: str, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _fail(file, key, "a list", value)
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        _fail(file, key, f"a list of {len(parts)}", value)
    return tuple(
        _read(part, item, file, f"{key}[{i}]") for i, (part, item) in enumerate(zip(parts, value, strict=True))
    )


def _read_scalar(kind: Any, value: Any, file: str, key: str) -> Any:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if _is_finite(value) else _fail(file, key, "a finite number", value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    _fail(file, key, {str: "text", int: "an integer", bool: "true or false", float: "a number"}[kind], value)


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _fail(file: str, key: str, expected: str, value: Any) -> NoReturn:
    text = repr(value)
    shown = text if len(text) <= 60 else text[:57] + "..."
    raise UserError(f"{file}: {f'key {key!r}' if key else 'it'} must be {expected}, got {shown}")


def _known(choices: tuple[Any, ...]) -> str:
    return " or ".join(repr(choice) for choice in choices)


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return dict(pairs)


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
