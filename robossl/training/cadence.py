"""When something is due that happens every so many steps, while steps come in leaps."""

from robossl.core.errors import UserError
from robossl.core.protocols import Tree


class Every:
    """Is due whenever a multiple of `steps` was reached or passed since it was last asked; never where None.

    Raises:
        UserError: if `steps` is not positive.
    """

    def __init__(self, steps: int | None) -> None:
        if steps is not None and steps < 1:
            raise UserError(f"an interval must be at least 1 step, got {steps}")
        self.steps = steps
        self._asked = 0

    def due(self, step: int) -> bool:
        """Tells whether it is due at `step`."""
        if self.steps is None:
            return False
        due = step // self.steps > self._asked // self.steps
        self._asked = step
        return due

    def get_state(self) -> Tree:
        """Returns when it was last asked."""
        return self._asked

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self._asked = int(state)
