"""What becomes of worlds whose physics diverged: they are put back to where their last step began."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.delayed_engine import undelayed
from robossl.envs.engine import Engine
from robossl.envs.records import STATE, Start


def put_back(
    engine: Engine, ids: NDArray[np.int64], recorded: dict[str, Array], start_of: Callable[[NDArray[np.int64]], Start]
) -> NDArray[np.int64]:
    """Takes back the step of the worlds `ids`; what was recorded of it becomes what they are then.

    A world that was not finite before either, as somebody wrote its state, gets the one that its episode was laid out
    with: neither is one to show or to store, and what broke a world is none to learn from. In the model's own state it
    might be where it shall get to: a block at the goal.

    Args:
        engine: of N worlds.
        ids: [n].
        recorded: {name: [N, ...]}, written to.
        start_of: returns what the running episodes of worlds were laid out with.

    Returns:
        Those of the worlds that were finite before.
    """
    engine.take_back(ids)
    state: NDArray[Any] = undelayed(engine).get_state()[ids]
    was_sound = np.isfinite(state).all(axis=1)
    astray = ids[~was_sound]
    sound: NDArray[np.int64] = ids[was_sound]
    if len(astray):
        start = start_of(astray)
        engine.reset(astray, start.names.state, start.of(STATE))
        engine.forward(astray)
    for name, values in recorded.items():
        values[ids] = engine.read(name, ids)[:, None]
    return sound
