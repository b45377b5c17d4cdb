"""The proof that a graph is the agent: on what it saw, at the limits, far beyond them, and at the wheel."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core.contract import Contract, ElementSpec, InputSpec, VectorInput
from robossl.core.errors import UserError
from robossl.core.protocols import Obs
from robossl.export.graph import PolicyGraph
from robossl.export.session import Session

_NUM_RECORDED, _NUM_SINGLE, _NUM_CORNERS = 256, 16, 64
_FAR = (1e3, 1e6)
_NOT_FINITE = (np.nan, np.inf, -np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How far torch and ONNX Runtime were apart on one kind of input.

    Attributes:
        rows: how many inputs.
        max_action_difference: the greatest, in units of the action's [-1, 1].
        max_command_difference: the greatest, as a share of a command's limits.
    """

    rows: int
    max_action_difference: float
    max_command_difference: float

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values; null where only one side gave a number."""
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}


def compare(graph: PolicyGraph, session: Session, contract: Contract, sample: Obs) -> dict[str, CaseResult]:
    """Compares torch with ONNX Runtime on every kind of input; a number against none counts as infinitely far apart."""
    results = {}
    for name, values in make_cases(contract.inputs, sample).items():
        batches = _one_by_one(values) if name == "one by one" else [values]
        pairs = [(_torch(graph, batch), session(batch)) for batch in batches]
        span = np.array([command.high - command.low or 1.0 for command in contract.commands])
        results[name] = CaseResult(
            rows=_num_rows(values),
            max_action_difference=max(difference(ours[0], theirs[0]) for ours, theirs in pairs),
            max_command_difference=max(difference(ours[1] / span, theirs[1] / span) for ours, theirs in pairs),
        )
    return results


def require_equal(results: dict[str, CaseResult], tolerance: float) -> None:
    """Checks every case.

    Raises:
        UserError: naming the first that differs too much.
    """
    for name, result in results.items():
        worst = max(result.max_action_difference, result.max_command_difference)
        if not worst <= tolerance:
            raise UserError(
                f"not exported: torch and ONNX Runtime differ by {worst:.3g} on inputs of kind {name!r}, more than"
                f" {tolerance:g} of the action's range"
            )


def make_cases(inputs: tuple[InputSpec, ...], sample: Obs) -> dict[str, Obs]:
    """Returns {kind: {input: [rows, ...]}}."""
    recorded = {name: rows[:_NUM_RECORDED] for name, rows in sample.items()}
    return {
        "recorded": recorded,
        "one by one": {name: rows[:_NUM_SINGLE] for name, rows in sample.items()},
        "zeros": {spec.name: np.zeros((1, *spec.shape), spec.dtype) for spec in inputs},
        "limits": _rows(inputs, [_at_limits(spec) for spec in inputs]),
        "corners": _rows(inputs, [_corners(spec) for spec in inputs]),
        "far": _rows(inputs, [_far(spec) for spec in inputs]),
        "not finite": _one_element_each(inputs, recorded),
    }


def difference(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Returns the greatest absolute difference; infinity where only one side has a number."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    with np.errstate(invalid="ignore"):  # infinity less infinity
        gap = np.where(ours == theirs, 0.0, np.abs(ours - theirs))
    return float(np.nan_to_num(gap, nan=0.0, posinf=np.inf).max(initial=0.0))


def _torch(graph: PolicyGraph, values: Obs) -> tuple[NDArray[Any], NDArray[Any]]:
    with torch.no_grad():
        action, command = graph(*(torch.from_numpy(values[spec.name]) for spec in graph.inputs))
    return action.numpy(), command.numpy()


def _one_by_one(values: Obs) -> list[Obs]:
    return [{name: rows[i : i + 1] for name, rows in values.items()} for i in range(_num_rows(values))]


def _num_rows(values: Obs) -> int:
    return len(next(iter(values.values())))


def _rows(inputs: tuple[InputSpec, ...], parts: list[NDArray[Any]]) -> Obs:
    return {spec.name: np.ascontiguousarray(part, spec.dtype) for spec, part in zip(inputs, parts, strict=True)}


def _at_limits(spec: InputSpec) -> NDArray[Any]:
    """Returns two rows: everything at its lower, everything at its upper bound, or the bounds of training."""
    if isinstance(spec, VectorInput):
        return np.array([[_limit(element, side) for element in spec.elements] for side in ("low", "high")])
    low, high = (0, 255) if spec.dtype == "uint8" else (spec.seen[0].low, spec.seen[0].high)
    return np.stack([np.full(spec.shape, low), np.full(spec.shape, high)])


def _limit(element: ElementSpec, side: str) -> float:
    bound = getattr(element, side)
    return float(getattr(element.seen, side) if bound is None else bound)


def _corners(spec: InputSpec) -> NDArray[Any]:
    """Returns rows whose every element is at its lower or upper limit by chance; pictures are noise of both."""
    low, high = _at_limits(spec)
    choice = np.random.default_rng(0).random((_NUM_CORNERS, *spec.shape)) < 0.5
    return np.asarray(np.where(choice, low, high))


def _far(spec: InputSpec) -> NDArray[Any]:
    """Returns rows far outside of what can be; colours have no outside."""
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (_NUM_CORNERS, *spec.shape))
    if spec.dtype == "uint8":
        return np.where(signs > 0, 255, 0)
    reach = np.resize(_FAR, _NUM_CORNERS).reshape(-1, *(1,) * len(spec.shape))
    return np.asarray((signs if isinstance(spec, VectorInput) else np.abs(signs)) * reach)  # no distance is negative


def _one_element_each(inputs: tuple[InputSpec, ...], recorded: Obs) -> Obs:
    """Returns recorded rows, in each of which one number of one input is not finite."""
    rows = []
    for spec in inputs:
        if spec.dtype != "float32":
            continue
        for i in range(spec.shape[0] if isinstance(spec, VectorInput) else 1):
            for value in _NOT_FINITE:
                row = {name: recorded[name][:1].copy() for name in recorded}
                row[spec.name].reshape(-1)[i] = value
                rows.append(row)
    rows = rows or [{name: recorded[name][:1] for name in recorded}]
    return {name: np.concatenate([row[name] for row in rows]) for name in recorded}
