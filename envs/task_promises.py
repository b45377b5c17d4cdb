"""What a task says of itself, held against the model and against what it does at the first reset and the first step.

Numpy stretches what is too small without a word: the numbers that come out look like any others.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from robossl.core import Array, ArraySpec, UnknownNameError, UserError
from robossl.envs.mujoco_fields import RANDOM_FIELDS, STATE_FIELDS
from robossl.envs.randomisation import Randomisation
from robossl.envs.task import Outcome, TaskSpec


def require_spec(spec: TaskSpec, model: Any) -> None:
    """Checks what a task declares against its model.

    Raises:
        UserError: if decisions do not last as long as their physics steps, or there is no field of a name.
    """
    decision_s, period_s = spec.num_substeps * float(model.opt.timestep), 1 / spec.control_hz
    if not math.isclose(decision_s, period_s, rel_tol=1e-6):
        raise UserError(
            f"the task decides every {period_s:g} s, and {spec.num_substeps} physics steps of {model.opt.timestep:g} s"
            f" last {decision_s:g} s"
        )
    if spec.max_episode_steps < 1:
        raise UserError(f"the task's max_episode_steps must be at least 1, got {spec.max_episode_steps}")
    declared = (entry.fields for entry in spec.randomisations.values() if isinstance(entry, Randomisation))
    _require_known(spec.random_fields, RANDOM_FIELDS)
    _require_known((field for fields in declared for field in fields), RANDOM_FIELDS | STATE_FIELDS)


def require_seen(vectors: Mapping[str, Array], specs: Mapping[str, ArraySpec], num_worlds: int) -> None:
    """Checks names and shapes of what a task observes.

    Raises:
        UserError: naming the first that is missing, or not declared, or of another shape.
    """
    _require_same_names("observed vectors", vectors, specs)
    for key, spec in specs.items():
        _require_shape(repr(key), vectors[key], (num_worlds, *spec.shape))


def require_judged(outcome: Outcome, spec: TaskSpec, num_worlds: int) -> None:
    """Checks a step's outcome, as `require_seen` does."""
    _require_same_names("reward terms", outcome.terms, spec.reward_weights)
    _require_same_names("metrics", outcome.metrics, spec.metrics)
    parts = {"terminated": outcome.terminated, "success": outcome.success}
    for name, values in {**outcome.terms, **outcome.metrics, **parts}.items():
        _require_shape(repr(name), values, (num_worlds,))


def require_finite(terms: Mapping[str, Array], reward: Array) -> None:
    """Checks rewards [N] and the terms [N] that they are sums of, of worlds that have not diverged.

    Raises:
        UserError: naming the first term, and the first world, where one is not finite.
    """
    for name, values in {**terms, "reward": reward}.items():
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise UserError(f"the task's reward is not finite: {name!r} is {values[wrong[0]]:g} in world {wrong[0]}")


def require_controls(ctrl: Array, num_worlds: int, num_actuators: int) -> None:
    """Checks the shape of controls, as `require_seen` does."""
    _require_shape("controls", ctrl, (num_worlds, num_actuators))


def _require_same_names(what: str, given: Iterable[str], declared: Iterable[str]) -> None:
    given, declared = set(given), set(declared)
    if missing := sorted(declared - given):
        raise UserError(f"the task's {what} lack {missing[0]!r}, which its spec declares")
    if undeclared := sorted(given - declared):
        raise UserError(f"the task's {what} hold {undeclared[0]!r}, which its spec does not declare")


def _require_shape(what: str, values: Array, shape: tuple[int, ...]) -> None:
    found = tuple(getattr(values, "shape", ()))
    if found != shape:
        raise UserError(f"the task returns {what} as {list(found)}, expected {list(shape)}")


def _require_known(fields: Iterable[str], known: frozenset[str]) -> None:
    for field in fields:
        if field not in known:
            raise UnknownNameError("field that a task can randomise", field, known)
