"""What differs between worlds of one model: values for parts of its fields."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Change: TypeAlias = tuple[str, tuple[Any, ...], NDArray[np.float64]]
"""A model field, the index of a part of it, and that part's values [n, ...]."""


def varied(model: Any, changes: list[Change]) -> dict[str, NDArray[np.float64]]:
    """Returns the changed fields {field: [n, ...]}; what they hold beside the changes is as in the compiled model."""
    fields: dict[str, NDArray[np.float64]] = {}
    for field, index, values in changes:
        if field not in fields:
            fields[field] = np.repeat(np.asarray(getattr(model, field), np.float64)[None], len(values), axis=0)
        fields[field][(slice(None), *index)] = values
    return fields
