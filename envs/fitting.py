"""Fits what somebody wrote in Python into the fields of a config, or says in one line what does not fit."""

import types
from collections.abc import Collection, Iterable, Mapping, Sized
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from robossl.core import UnknownNameError, UserError

_NUMBERS: dict[Any, Any] = {bool: bool | np.bool_, int: Integral, float: Real}
"""What counts as one, numpy's too; what is fitted is Python's."""

_WORDS = {bool: "truth value", int: "whole number", float: "number", str: "text"}


def fit(config: Any, kind: Any, prefix: str, *, but: tuple[str, ...] = (), is_option: bool = True) -> None:
    """Gives the fields of a frozen dataclass the types that they are declared with: lists become tuples, say.

    Args:
        config: the dataclass, in its `__post_init__`.
        kind: the class whose fields are meant: what somebody derives from it has others.
        prefix: of its fields' names in errors.
        but: fields that are left as they are.
        is_option: whether errors name a field as the command line does, or as Python does.

    Raises:
        UserError: for the first field that does not fit.
    """
    for entry in fields(kind):
        if entry.name not in but:
            name = _dashed(entry.name) if is_option else entry.name
            value = _fitted(entry.type, getattr(config, entry.name), f"{prefix}{name}")
            object.__setattr__(config, entry.name, value)


def require_fields(kind: Any, names: Iterable[object], what: str, *, but: tuple[str, ...] = ()) -> None:
    """Checks that a dataclass has fields of these names, other than `but`.

    Raises:
        UnknownNameError: with the nearest one.
    """
    known = [entry.name for entry in fields(kind) if entry.name not in but]
    for name in names:
        if name not in known:
            raise UnknownNameError(what, str(name), known)


def _fitted(kind: Any, value: Any, name: str) -> Any:
    """Returns a value as a scalar, `Literal`, tuple of scalars, dict by text, dataclass, or any of these or None."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _fitted(parts[0], value, name)
    if origin is Literal and isinstance(value, str):
        if value not in parts:
            raise UnknownNameError(name.rpartition(".")[2], value, parts)
        return value
    value = value[()] if isinstance(value, np.ndarray) and not value.ndim else value  # its only number
    if origin is tuple and _is_list(value, parts) and len(value) == _length(parts, value):
        if all(_is(parts[0], item) for item in value):
            items = sorted(value) if isinstance(value, set | frozenset) else value  # theirs changes from run to run
            return tuple(map(parts[0], items) if parts[0] in _NUMBERS else items)
    elif isinstance(value, Mapping) and origin is dict:
        return {key: _fitted(parts[1], item, f"{name}.{key}") for key, item in value.items()}
    elif isinstance(value, Mapping) and _is_config(kind):
        require_fields(kind, value, f"key in {name}:")
        inner = {entry.name: entry.type for entry in fields(kind)}
        return kind(**{key: _fitted(inner[key], item, f"{name}.{_dashed(key)}") for key, item in value.items()})
    elif origin is None and _is(kind, value):
        return kind(value) if kind in _NUMBERS else value
    raise UserError(f"{name} must be {_called(kind)}, got {value!r}")


def _is(kind: Any, value: object) -> bool:
    """Tells whether a value is of a plain class; a truth value is no number."""
    return isinstance(value, _NUMBERS.get(kind, kind)) and isinstance(value, bool | np.bool_) == (kind is bool)


def _is_list(value: Any, parts: tuple[Any, ...]) -> bool:
    """Tells whether a value holds items one after the other; sets do for names alone, whose order says nothing."""
    if isinstance(value, set | frozenset):
        return parts == (str, Ellipsis)
    is_one = isinstance(value, str | bytes | Mapping) or not getattr(value, "ndim", 1)
    return isinstance(value, Collection | np.ndarray) and not is_one


def _is_config(kind: Any) -> bool:
    return is_dataclass(kind)


def _length(parts: tuple[Any, ...], value: Sized) -> int:
    return len(value) if parts[-1] is Ellipsis else len(parts)


def _called(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple:
        return f"{'a list of' if parts[-1] is Ellipsis else len(parts)} {_word(parts[0])}s"
    if origin is Literal:
        return f"one of {', '.join(parts)}"
    if _is_config(kind):
        return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}, or its fields by name"
    word = "dict" if origin is dict else _word(kind)
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"


def _word(kind: Any) -> str:
    return _WORDS[kind] if kind in _WORDS else str(kind.__name__)


def _dashed(name: str) -> str:
    return name.replace("_", "-")
