"""Runs a compiled loop over rows in several threads: for layouts whose loops take long.

How many threads there may be is the environment's to say, not the task's.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

_NUM_THREADS = ContextVar("num_threads", default=1)


@contextmanager
def row_threads(num: int) -> Iterator[None]:
    """Lets `over_rows` take up to `num` threads within the block, the calling one among them."""
    before = _NUM_THREADS.set(num)
    try:
        yield
    finally:
        _NUM_THREADS.reset(before)


def over_rows(function: Callable[[slice], object], num_rows: int, *, fewest: int) -> None:
    """Calls a function with slices that together are all rows, side by side.

    Threads are of use only where the function is compiled, or else lets others run meanwhile. They end with the call:
    to start one takes some 0.1 ms.

    Args:
        function: whose rows do not depend on one another.
        num_rows: there are.
        fewest: rows that are worth a thread.
    """
    num = max(1, min(_NUM_THREADS.get(), num_rows // fewest))
    ends = [num_rows * part // num for part in range(num + 1)]
    first, *others = map(slice, ends[:-1], ends[1:])
    if not others:
        function(first)
        return
    with ThreadPoolExecutor(len(others)) as pool:
        waiting = [pool.submit(function, part) for part in others]
        function(first)
    for part in waiting:
        part.result()
