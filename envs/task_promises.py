"""What a task returns, held against its spec at every step.

Numpy stretches what is too small without a word: the numbers that come out look like any others.
"""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, UserError
from robossl.envs.host import on_host
from robossl.envs.task import Memory, Outcome, TaskSpec

_SHAPE = operator.attrgetter("shape")
KINDS = ("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64")  # torch's, and files'


class Promises:
    """Holds what a task returns at each step against its spec; where all is as it was that costs a microsecond.

    Args:
        spec: the task's.
        num_worlds: N.
        num_controls: of the model.
        xp: the array namespace that the task computes in.
    """

    def __init__(self, spec: TaskSpec, num_worlds: int, num_controls: int, xp: Any) -> None:
        self._spec, self._num_worlds, self._ctrl_shape = spec, num_worlds, (num_worlds, num_controls)
        self._bool = np.dtype(bool) if xp is np else xp.bool
        self._ctrl_dtype: Any = None
        self._seen: list[Any] = []  # names and shapes of what was right, as are the next
        self._judged: list[Any] = []

    def controls(self, ctrl: Array) -> None:
        """Checks controls.

        Raises:
            UserError: if they are of another shape, as all others do, or no numbers.
        """
        if getattr(ctrl, "shape", None) != self._ctrl_shape:
            _require_shape("controls", ctrl, self._ctrl_shape)
        if ctrl.dtype != self._ctrl_dtype:
            require_kind("the task returns controls", on_host(ctrl[:0]).dtype, np.dtype(float))
            self._ctrl_dtype = ctrl.dtype

    def judged(self, outcome: Outcome) -> None:
        """Checks a step's outcome; raises as `controls` does."""
        try:
            terms, terminated, success, metrics = outcome
            parts = *terms.values(), *metrics.values(), terminated, success
            found = [*terms, *metrics, *map(_SHAPE, parts), terminated.dtype, success.dtype]
        except (AttributeError, TypeError, ValueError):
            found = []
        if not found or found != self._judged:
            require_judged(outcome, self._spec, self._num_worlds, self._bool)
            self._judged = found

    def seen(self, vectors: Mapping[str, Array]) -> None:
        """Checks the observed vectors; raises as `controls` does."""
        try:
            found = [*vectors, *map(_SHAPE, vectors.values())]
        except (AttributeError, TypeError):
            found = []
        if not found or found != self._seen:
            require_seen("observed vectors", vectors, self._spec.vectors, self._num_worlds)
            self._seen = found


def require_new_memory(
    memory: Memory, num_worlds: int, whose: str = "the task", kinds: tuple[str, ...] = KINDS
) -> None:
    """Checks what `new_memory` returns, of a task or a sensor.

    Raises:
        UserError: if it is not one row a world, or nothing that a checkpoint can hold and any engine can compute with.
    """
    if not isinstance(memory, dict):
        raise UserError(f"{whose}'s new_memory returns {type(memory).__name__}, expected a dict")
    for name, kept in memory.items():
        if not isinstance(kept, np.ndarray):
            raise UserError(f"{whose}'s memory {name!r} is a {type(kept).__name__}, expected an array")
        if kept.dtype.name not in kinds or not kept.dtype.isnative:
            raise UserError(f"{whose}'s memory {name!r} is of {kept.dtype.str}, expected one of {', '.join(kinds)}")
        if kept.shape[:1] != (num_worlds,):
            raise UserError(f"{whose}'s memory {name!r} is {list(kept.shape)}, expected a row for each of {num_worlds}")
        if not kept.flags.writeable:
            raise UserError(f"{whose}'s memory {name!r} cannot be written to")


def require_seen(what: str, seen: Mapping[str, Array], specs: Mapping[str, ArraySpec], num_worlds: int) -> None:
    """Checks names and shapes of what a task observes.

    Raises:
        UserError: naming the first that is missing, or not declared, or of another shape.
    """
    _require_same_names(what, seen, specs)
    for key, spec in specs.items():
        _require_shape(repr(key), seen[key], (num_worlds, *spec.shape))


def require_kinds(seen: Mapping[str, Array], specs: Mapping[str, ArraySpec]) -> None:
    """Checks that what a task observes becomes no other numbers in the dtypes that it declares.

    Raises:
        UserError: naming the first that would.
    """
    for key, spec in specs.items():
        require_kind(f"the task returns {key!r}", on_host(seen[key][:0]).dtype, np.dtype(spec.dtype))


def require_kind(what: str, found: np.dtype[Any], declared: np.dtype[Any]) -> None:
    """Checks that numbers of one dtype can stand in another: fractions are no ids; signs aside.

    Raises:
        UserError: beginning with `what`.
    """
    are_whole = found.kind in "iu" and declared.kind in "iu"
    if not are_whole and not np.can_cast(found, declared, "same_kind"):
        raise UserError(f"{what} as {found}, expected {declared}")


def require_judged(outcome: Outcome, spec: TaskSpec, num_worlds: int, boolean: Any) -> None:
    """Checks a step's outcome, as `require_seen` does; whether worlds end is told by the dtype `boolean`.

    Raises:
        UserError: naming the first part that is not as declared.
    """
    if not isinstance(outcome, Outcome):
        raise UserError(f"the task's outcome is a {type(outcome).__name__}, expected an Outcome")
    _require_same_names("reward terms", outcome.terms, spec.reward_weights)
    _require_same_names("metrics", outcome.metrics, spec.metrics)
    parts = {"terminated": outcome.terminated, "success": outcome.success}
    for name, values in {**outcome.terms, **outcome.metrics, **parts}.items():
        _require_shape(repr(name), values, (num_worlds,))
    for name, values in parts.items():
        if values.dtype != boolean:
            raise UserError(f"the task returns {name!r} as {values.dtype}, expected bool")


def require_finite(terms: Mapping[str, Array], reward: Array) -> None:
    """Checks rewards [N] and the terms [N] that they are sums of, of worlds that have not diverged.

    Raises:
        UserError: naming the first term, and the first world, where one is not finite.
    """
    for name, values in {**terms, "reward": reward}.items():
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise UserError(f"the task's reward is not finite: {name!r} is {values[wrong[0]]:g} in world {wrong[0]}")


def require_finite_controls(ctrl: Array, ids: NDArray[np.int64]) -> None:
    """Checks controls [N, num_actuators] of worlds that were as they had been laid out, and diverged with them.

    Raises:
        UserError: naming the first world and actuator where one is not finite.
    """
    wrong = np.argwhere(~np.isfinite(found := on_host(ctrl)[ids]))
    if len(wrong):
        row, index = wrong[0]
        raise UserError(f"the task's control {index} is not finite: {found[row, index]:g} in world {ids[row]}")


def _require_same_names(what: str, given: Mapping[str, Any], declared: Iterable[str]) -> None:
    if not isinstance(given, Mapping):
        raise UserError(f"the task's {what} are a {type(given).__name__}, expected a dict")
    if missing := sorted({*declared} - {*given}):
        raise UserError(f"the task's {what} lack {missing[0]!r}, which its spec declares")
    if undeclared := sorted({*given} - {*declared}):
        raise UserError(f"the task's {what} hold {undeclared[0]!r}, which its spec does not declare")


def _require_shape(what: str, values: Array, shape: tuple[int, ...]) -> None:
    found = tuple(getattr(values, "shape", ()))
    if found != shape:
        raise UserError(f"the task returns {what} as {list(found)}, expected {list(shape)}")
