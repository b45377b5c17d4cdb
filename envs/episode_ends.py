"""Which worlds end with a step, and the episodes that follow; as compiled loops.

The rewards are looked at in passing, as another loop would cost more.
"""

import numpy as np

from robossl.core import Array
from robossl.envs.compiled import compiled


@compiled
def count_on(episode: Array, elapsed: Array, ids: Array) -> None:
    """Counts on the episodes [N] that the worlds `ids` are in; no step of theirs has been made."""
    for world in ids:
        episode[world] += 1
        elapsed[world] = 0


@compiled
def ends(judged: Array, diverged: Array, elapsed: Array, limit: int, reward: Array) -> tuple[Array, Array, Array, bool]:
    """Returns which worlds [N] were terminated, which truncated, which ended at all, and if all rewards are finite."""
    terminated, truncated = np.empty(len(judged), np.bool_), np.empty(len(judged), np.bool_)
    ids, count, is_finite = np.empty(len(judged), np.int64), 0, True
    for world in range(len(judged)):
        is_finite &= np.isfinite(reward[world])
        terminated[world] = judged[world]
        truncated[world] = not judged[world] and (diverged[world] or elapsed[world] >= limit)
        if terminated[world] or truncated[world]:
            ids[count] = world
            count += 1
    return terminated, truncated, ids[:count].copy(), is_finite
