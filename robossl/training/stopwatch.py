"""How long a run takes, over all processes that work on it one after the other."""

import time

from robossl.core.protocols import Tree


class Stopwatch:
    """Counts seconds from its making on, and those before it that were put back last."""

    def __init__(self) -> None:
        self._begun_s, self._earlier_s = time.monotonic(), 0.0

    def read(self) -> float:
        """Returns the seconds so far."""
        return self._earlier_s + time.monotonic() - self._begun_s

    def get_state(self) -> Tree:
        """Returns the seconds so far."""
        return self.read()

    def set_state(self, state: Tree) -> None:
        """Adds what `get_state` returned, in place of what was added before."""
        self._earlier_s = float(state)
