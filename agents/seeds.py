"""One seed, many independent generators."""

from typing import NamedTuple

import numpy as np


class Seeds(NamedTuple):
    """Seeds of an agent's parts."""

    encoder: int
    heads: int
    objectives: int
    training: int
    warmup: int


def derive_seeds(seed: int | None) -> Seeds:
    """Returns independent seeds; other ones at every call where `seed` is None."""
    return Seeds(*(int(word) for word in np.random.SeedSequence(seed).generate_state(len(Seeds._fields))))
