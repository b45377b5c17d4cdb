"""Kernels before and after a physics step: worlds that went astray are flagged and put back before they harm others.

Contacts of all worlds lie in one list: a world that is not finite may fill it.
"""

from collections.abc import Sequence
from typing import Any

from robossl.envs.warp.library import warp


@warp.kernel
def _find_lost(values: warp.array2d(dtype=float), limit: float, lost: warp.array(dtype=bool)):
    world, column = warp.tid()
    if not (warp.abs(values[world, column]) < limit):  # nor is anything that is no number
        lost[world] = True


@warp.kernel
def _put_back(values: warp.array2d(dtype=float), healthy: warp.array(dtype=float), lost: warp.array(dtype=bool)):
    world, column = warp.tid()
    if lost[world]:
        values[world, column] = healthy[column]


@warp.kernel
def _remember(lost: warp.array(dtype=bool), diverged: warp.array(dtype=bool)):
    world = warp.tid()
    if lost[world]:
        diverged[world] = True
        lost[world] = False


class Infirmary:
    """Finds the worlds whose numbers are no longer finite or too great, flags them and gives them their defaults.

    Args:
        moved: pairs of numbers [N, D] and what each must stay below: what physics moves.
        written: the same, of all that somebody may have written.
        carried: pairs of numbers [N, D] and defaults [D]: all that one physics step hands to the next.
        diverged: [N] flags, which stay until somebody else takes them down.
    """

    def __init__(
        self,
        *,
        moved: Sequence[tuple[Any, float]],
        written: Sequence[tuple[Any, float]],
        carried: Sequence[tuple[Any, Any]],
        diverged: Any,
    ) -> None:
        self._moved, self._written, self._carried = list(moved), list(written), list(carried)
        self._diverged = diverged
        self._lost = warp.zeros(diverged.shape, dtype=bool, device=diverged.device)

    def admit_moved(self) -> None:
        """Launches the kernels after a physics step."""
        self._admit(self._moved)

    def admit_written(self) -> None:
        """Launches them before the first of some, where forces and the like must be looked at, too.

        MuJoCo Warp's solver finds no step under forces whose square is infinite, and goes on as if there were none.
        """
        self._admit(self._written)

    def _admit(self, checked: Sequence[tuple[Any, float]]) -> None:
        for values, limit in checked:
            warp.launch(_find_lost, values.shape, inputs=[values, limit, self._lost], device=values.device)
        for values, default in self._carried:
            warp.launch(_put_back, values.shape, inputs=[values, default, self._lost], device=values.device)
        warp.launch(_remember, self._lost.shape, inputs=[self._lost, self._diverged], device=self._lost.device)
