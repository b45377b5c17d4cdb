"""The simulator's truth: how datasets keep it, and which of its numbers a probe should find in features."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robossl.core.protocols import Obs
from robossl.core.specs import LOOK, TRUTH_PREFIX, ArraySpec, EnvSpec


def with_privileged(spec: EnvSpec) -> EnvSpec:
    """Returns the spec of a dataset that keeps the truth beside the observations."""
    truth = {f"{TRUTH_PREFIX}{key}": array for key, array in spec.privileged.items()}
    return replace(spec, observation={**spec.observation, **truth})


def policy_observation(spec: EnvSpec) -> dict[str, ArraySpec]:
    """Returns the observations of a dataset that an agent may see: neither the truth nor other looks of a picture."""
    return {
        key: array for key, array in spec.observation.items() if not (key.startswith(TRUTH_PREFIX) or LOOK.match(key))
    }


def prefixed(privileged: Obs, spec: EnvSpec) -> Obs:
    """Returns the truth under the dataset's keys, in the spec's dtypes."""
    return {f"{TRUTH_PREFIX}{key}": np.asarray(privileged[key], array.dtype) for key, array in spec.privileged.items()}


def factor_names(privileged: dict[str, ArraySpec]) -> tuple[str, ...]:
    """Returns a name for every number that a probe looks for: scalars, and elements of vectors that have names."""
    return tuple(name for key, spec in privileged.items() for name in _names(key, spec))


def factor_values(truth: Obs, privileged: dict[str, ArraySpec], *, prefix: str = "") -> NDArray[np.float32]:
    """Returns the numbers that `factor_names` names, [n, F], of arrays {prefix + key: [n, ...]}."""
    columns = [
        np.asarray(truth[prefix + key], np.float32).reshape(-1, len(_names(key, spec)))
        for key, spec in privileged.items()
        if _names(key, spec)
    ]
    return np.concatenate(columns, axis=1)


def _names(key: str, spec: ArraySpec) -> tuple[str, ...]:
    if spec.shape == ():
        return (key,)
    return tuple(f"{key}_{name}" for name in spec.names) if len(spec.shape) == 1 else ()
