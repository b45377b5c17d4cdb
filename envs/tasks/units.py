"""Specs of vectors whose elements are named after their units."""

from dataclasses import replace

from robossl.core import ArraySpec

_UNITS = {"_rad_s": "rad/s", "_m_s": "m/s", "_rad": "rad", "_m": "m"}


def vector(names: tuple[str, ...]) -> ArraySpec:
    """Returns the spec of a vector; the unit of an element is what its name ends in, else it is a pure number."""
    return ArraySpec(shape=(len(names),), names=names, units=tuple(map(_unit, names)))


def series(names: tuple[str, ...], num_rows: int) -> ArraySpec:
    """Returns the spec of rows whose columns have names."""
    return replace(vector(names), shape=(num_rows, len(names)))


def _unit(name: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "1")
