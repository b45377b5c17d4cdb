"""From command to command in straight lines: what a robot's trajectory controller makes of one point at a time."""

import numpy as np
from numpy.typing import NDArray


class StraightLines:
    """Where the controls of N worlds are between the last commands and the newest ones.

    As ros2_control's, a line begins where the one before had led, and its end is held.

    Args:
        num_worlds: N.
        num_controls: of a world.
        num_led: how many of them, the first, go in lines; the others jump.
        steps: physics steps that a line takes, a whole number or not.
    """

    def __init__(self, num_worlds: int, num_controls: int, *, num_led: int, steps: float) -> None:
        self._steps, self._led = steps, np.arange(num_controls) < num_led
        self._start = np.zeros((num_worlds, num_controls))
        self._end = self._start.copy()
        self._passed = np.zeros((num_worlds, 1))

    def begin(self, worlds: NDArray[np.bool_], ctrl: NDArray[np.float64]) -> None:
        """Rests at `ctrl` [n, U] in the n worlds that are marked."""
        self._start[worlds] = self._end[worlds] = ctrl
        self._passed[worlds] = 0

    def turn(self, ctrl: NDArray[np.float64]) -> None:
        """Sets out from here to `ctrl` [N, U]."""
        self._start, self._end = self._here(), np.array(ctrl, np.float64)
        self._passed[:] = 0

    def next(self) -> NDArray[np.float64]:
        """Returns the controls [N, U] of the next physics step."""
        here = self._here()
        self._passed += 1
        return here

    def get_state(self) -> NDArray[np.float64]:
        """Returns all that the next step depends on, [N, S]."""
        return np.concatenate([self._start, self._end, self._passed], axis=1)

    def set_state(self, state: NDArray[np.float64], rows: NDArray[np.int64] | slice) -> None:
        """Puts back what `get_state` returned."""
        size = self._start.shape[1]
        self._start[rows], self._end[rows] = state[:, :size], state[:, size:-1]
        self._passed[rows] = state[:, -1:]

    def _here(self) -> NDArray[np.float64]:
        share = np.where(self._led, np.minimum(self._passed / self._steps, 1.0), 1.0)
        return (1 - share) * self._start + share * self._end
