"""Checks of hyper-parameters: one clear line for the first that is out of its range. None stands for 'off'."""

import math
from collections.abc import Iterator
from typing import Any

from robossl.core import UserError


def require_positive(config: Any, *names: str) -> None:
    """Checks that fields are above 0.

    Raises:
        UserError: naming the first that is not.
    """
    for name, value in _values(config, names):
        if not value > 0:
            raise UserError(f"agent.{name} must be positive, got {value}")


def require_finite(config: Any, *names: str) -> None:
    """Checks that fields are numbers and not infinite.

    Raises:
        UserError: naming the first that is not.
    """
    for name, value in _values(config, names):
        if not math.isfinite(value):
            raise UserError(f"agent.{name} must be finite, got {value}")


def require_at_least(least: int, config: Any, *names: str) -> None:
    """Checks that fields (each entry of a tuple) are `least` or more.

    Raises:
        UserError: naming the first that is not.
    """
    for name, value in _values(config, names):
        if not value >= least:
            raise UserError(f"agent.{name} must be at least {least}, got {value}")


def require_fraction(config: Any, *names: str) -> None:
    """Checks that fields are in [0, 1].

    Raises:
        UserError: naming the first that is not.
    """
    for name, value in _values(config, names):
        if not 0 <= value <= 1:
            raise UserError(f"agent.{name} must be in [0, 1], got {value}")


def _values(config: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name in names:
        value = getattr(config, name)
        for entry in value if isinstance(value, tuple) else (value,):
            if entry is not None:
                yield name.replace("_", "-"), entry
