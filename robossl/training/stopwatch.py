"""How long a run takes, over all processes that work on it one after the other."""

import time

from robossl.core.protocols import Tree


class Stopwatch:
    """Counts seconds from its making on; after a resume also those before, up to the checkpoint that was put back."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()

    def read(self) -> float:
        """Returns the seconds so far."""
        return time.monotonic() - self._begun_s

    def get_state(self) -> Tree:
        """Returns the seconds so far."""
        return self.read()

    def set_state(self, state: Tree) -> None:
        """Adds what `get_state` returned."""
        self._begun_s -= float(state)
