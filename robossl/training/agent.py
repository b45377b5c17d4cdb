"""What training, evaluation and probes need of an agent: a stable-baselines3 algorithm with four additions."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core.protocols import Obs, Tree


class Predictor(Protocol):
    """Whatever chooses actions from channels-first, stacked observations as SB3's `predict` does."""

    def predict(self, observation: Obs, *, deterministic: bool) -> tuple[NDArray[np.float32], Any]:
        """Maps {key: [N, ...]} to actions [N, A] in [-1, 1], and a recurrent state that is not used."""


class Agent(Predictor, Protocol):
    """An SB3 algorithm whose whole state can be taken out and put back.

    Attributes:
        num_timesteps: environment steps made, over all worlds.
        replay: memory that is checkpointed as files of its own; None where there is none.
        perf: seconds spent so far in "act" and "update".
        ep_success_buffer: success of the newest episodes of training; nothing where none was told of.
    """

    num_timesteps: int
    replay: Any
    perf: dict[str, float]
    ep_success_buffer: Any

    @property
    def logger(self) -> Any:
        """SB3's."""

    def learn(self, total_timesteps: int, callback: Any, log_interval: Any, *, reset_num_timesteps: bool) -> Any:
        """Trains; see SB3."""

    def get_env(self) -> Any:
        """Returns the VecEnv that it learns in."""

    def set_logger(self, logger: Any) -> None:
        """Logs to `logger` from now on."""

    def dump_logs(self) -> None:
        """Writes what was recorded since the last time."""

    def features(self, obs: Obs) -> NDArray[np.float32]:
        """Returns what its encoder makes of {key: [N, ...]}: [N, D]."""

    def get_state(self) -> Tree:
        """Returns everything that the next step depends on, but for the replay and the environment."""

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
