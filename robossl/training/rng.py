"""The global random generators that stable-baselines3 draws from: kept in checkpoints, shielded from evaluation."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from robossl.core.protocols import Tree


def global_rng_state() -> Tree:
    """Returns the state of Python's, numpy's legacy and torch's global generators."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002 (stable-baselines3 draws from it)
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_global_rng_state(state: Tree) -> None:
    """Puts back what `global_rng_state` returned; generators of GPUs that are absent here are left out."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002 (see above)
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available():
        for device, cuda_state in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(cuda_state, device)


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Leaves the global generators as they were, whatever is drawn inside."""
    state = global_rng_state()
    try:
        yield
    finally:
        set_global_rng_state(state)
