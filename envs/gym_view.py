"""What robossl's tasks have in common as environments of Gymnasium, of one world or many.

Their tasks truncate episodes themselves. They register no `max_episode_steps`, as Gymnasium would truncate once more,
also what has just terminated; the `spec` of what was made tells it.
"""

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from robossl.core import BatchEnv, Obs, Tree

MODES = ("rgb_array",)
"""Of `render`."""

_FRAME_SIZE = (480, 360)  # pixels: width, height of what `render` draws


class LimitedSpec:
    """How Gymnasium made an environment, and after how many steps its task truncates.

    What is made again from it is truncated by Gymnasium, too, after as many steps: also where it terminates just then.
    `gymnasium.make(spec, max_episode_steps=-1)` leaves it to the task.
    """

    def __get__(self, env: Any, owner: Any) -> EnvSpec | None:
        return None if env is None else env.__dict__.get("spec")

    def __set__(self, env: Any, spec: EnvSpec | None) -> None:
        if spec is not None:
            spec = copy.copy(spec)
            spec.max_episode_steps = env.batch_env.spec.max_episode_steps
        env.__dict__["spec"] = spec


def not_begun() -> gymnasium.error.ResetNeeded:
    """Returns what `step` raises before `reset`."""
    return gymnasium.error.ResetNeeded("no episode is running: call reset() first")


def num_restored(env: BatchEnv) -> int:
    """Returns how often an environment was given a state, as far as it tells."""
    return getattr(env, "num_restored", 0)


def has_begun(state: Tree) -> bool:
    """Tells whether an environment had been reset whose state this is, with models of sensors or without."""
    return has_begun(state["env"]) if isinstance(state.get("env"), Mapping) else bool(state.get("begun", True))


def reset_to_next_episode(env: BatchEnv) -> Obs:
    """Begins an episode in every world that none has begun yet."""
    return env.reset(first_episode=int(env.episode_keys()["episode"].max()) + 1)


def reset_info(env: BatchEnv) -> Obs:
    """Returns what is known of episodes that have just begun: {"randomise/<name>": [N, ...]}, of our own tasks."""
    return env.randomised() if hasattr(env, "randomised") else {}


def frame(env: BatchEnv, world: int) -> NDArray[np.uint8]:
    """Draws a world, [H, W, 3]."""
    width, height = _FRAME_SIZE
    return env.render_frames(width=width, height=height, world=world)


def checked_mode(render_mode: str | None) -> str | None:
    """Returns a mode of `render`.

    Raises:
        ValueError: if there is no such mode.
    """
    if render_mode not in (None, *MODES):
        raise ValueError(f"render_mode is {render_mode!r}, expected None or one of {list(MODES)}")
    return render_mode
