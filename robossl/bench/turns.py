"""How speeds are compared: what is compared runs in turns, and a ratio is the median over the turns.

A busy machine slows both sides of a turn.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from statistics import median

WARM_UP = 2
Work = Callable[[], object]

_turn_ended: ContextVar[Work] = ContextVar("turn_ended", default=lambda: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Attributes:
        work: is timed.
        count: of what is counted, in one call of `work`.
        before: is called before it and not timed.
    """

    work: Work
    count: int
    before: Work = lambda: None


@contextmanager
def told_of_turns(tell: Work) -> Iterator[None]:
    """Calls `tell` after every turn that is made inside, of whatever comparison."""
    before = _turn_ended.set(tell)
    try:
        yield
    finally:
        _turn_ended.reset(before)


def seconds_in_turns(sides: list[Side], num_repeats: int) -> list[tuple[float, ...]]:
    """Returns the seconds per counted thing, one tuple with an entry per side for every turn."""
    turns, tell = [], _turn_ended.get()
    for _ in range(WARM_UP + num_repeats):
        turns.append(tuple(_seconds(side) for side in sides))
        tell()
    return turns[WARM_UP:]


def compare(ours: Side, reference: Side, num_repeats: int, unit: str) -> dict[str, float]:
    """Returns both rates, named for the unit, and the ratio of ours to the reference."""
    return rates(seconds_in_turns([ours, reference], num_repeats), unit)


def rates(turns: list[tuple[float, ...]], unit: str) -> dict[str, float]:
    """Returns the same of the seconds of ours and the reference's, turn by turn."""
    return {
        unit: 1 / median(mine for mine, _ in turns),
        f"reference_{unit}": 1 / median(other for _, other in turns),
        "ratio": median(other / mine for mine, other in turns),
    }


def _seconds(side: Side) -> float:
    side.before()
    start = time.perf_counter()
    side.work()
    return (time.perf_counter() - start) / side.count
