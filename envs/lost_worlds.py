"""What becomes of worlds whose physics diverged: they are put back to where their last step began."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.delayed_engine import undelayed
from robossl.envs.engine import Engine


def put_back(engine: Engine, ids: NDArray[np.int64], recorded: dict[str, Array]) -> None:
    """Takes back the step of the worlds `ids`; what was recorded of it becomes what they are then.

    A world that was not finite before either, as somebody wrote its state, gets the model's own: neither is one to show
    or to store, and what broke a world is none to learn from.
    """
    engine.take_back(ids)
    state: NDArray[Any] = undelayed(engine).get_state()[ids]
    astray = ids[~np.isfinite(state).all(axis=1)]
    if len(astray):
        engine.reset(astray)
        engine.forward(astray)
    for name, values in recorded.items():
        values[ids] = engine.read(name, ids)[:, None]
