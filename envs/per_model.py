"""What is worked out once of a model, and forgotten with it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Found = TypeVar("Found")


def per_model(function: Callable[..., Found]) -> Callable[..., Found]:
    """Makes a function of a model, and of what can be hashed, work only once for each while the model lives.

    What it reads of the model must not change any more, and what it returns not hold the model, which would then live
    for ever.
    """
    known: WeakKeyDictionary[Any, dict[tuple[Any, ...], Found]] = WeakKeyDictionary()

    @wraps(function)
    def look_up(model: Any, *of: Any) -> Found:
        found = known.get(model)
        if found is None:
            found = known.setdefault(model, {})
        if of not in found:
            found[of] = function(model, *of)
        return found[of]

    return look_up
