"""What differs between worlds of one model: values for parts of its fields."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from robossl.envs.engine import Engine

Change: TypeAlias = tuple[str, tuple[Any, ...], NDArray[np.float64]]
"""A model field, the index of a part of it, and that part's values [n, ...]."""


def vary(engine: Engine, ids: NDArray[np.int64], changes: list[Change]) -> None:
    """Gives the worlds `ids` the changes; what a changed field holds beside them is as in the compiled model."""
    fields: dict[str, NDArray[np.float64]] = {}
    for field, index, values in changes:
        if field not in fields:
            fields[field] = np.repeat(np.asarray(getattr(engine.model, field), np.float64)[None], len(ids), axis=0)
        fields[field][(slice(None), *index)] = values
    for field, values in fields.items():
        engine.randomise(field, values, ids)
