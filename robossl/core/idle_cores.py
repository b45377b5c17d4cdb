"""Keeps idle cores awake, on machines where one takes long to answer.

A virtual machine that has nothing to do on a core gives it back to its host. To wake it costs tens of microseconds, of
the thread that has work for it, too: at every step of physics, and at every operation of torch's that is shared out.
Linux lets cores wait awake for as long as a process asks for it (docs.kernel.org/power/pm_qos_interface.html); to the
host they are busy then.
"""

import contextlib
import os
import queue
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robossl.core.processor import num_cores

DEVICE = Path("/dev/cpu_dma_latency")
CHOICE = "ROBOSSL_IDLE_CORES"
SLOW_US = 20.0
"""Slower answers are worth the power. Cores of a machine of one's own take 5 to 10."""

_NO_LATENCY = struct.pack("i", 0)
_QUESTIONS, _PAUSE_S = 31, 2e-4
_held: list[int] = []


def answer_us() -> float:
    """Measures how long a thread that sleeps on another core takes to answer; that takes some milliseconds.

    Returns:
        The shortest of some times, as other programs lengthen most; in microseconds; 0 where there is no other core.
    """
    if num_cores() == 1 or not hasattr(os, "sched_setaffinity"):
        return 0.0
    allowed = os.sched_getaffinity(0)
    here, there = sorted(allowed)[:2]
    questions, answers = queue.SimpleQueue[bool](), queue.SimpleQueue[bool]()

    def answer() -> None:
        _move_this_thread({there})
        while questions.get():
            answers.put(True)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        _move_this_thread({here})
        return 1e6 * min(_ask(questions, answers) for _ in range(_QUESTIONS))
    finally:
        _move_this_thread(allowed)
        questions.put(False)
        thread.join()


@contextmanager
def awake_cores() -> Iterator[bool]:
    """Keeps idle cores awake meanwhile, if they answer slowly; says whether it does.

    Linux lets those do so who may write to `DEVICE`: root, unless somebody gave it to others. Where the environment has
    `ROBOSSL_IDLE_CORES=sleep`, nothing is done.
    """
    request = None if os.environ.get(CHOICE) == "sleep" or _held else _request_where_slow()
    if request is not None:
        _held.append(request)
    try:
        yield bool(_held)
    finally:
        if request is not None:
            _held.remove(request)
            os.close(request)


def are_kept_awake() -> bool:
    """Tells whether this process keeps idle cores awake now."""
    return bool(_held)


def may_be_kept_awake() -> bool:
    """Tells whether this process is allowed to."""
    return os.access(DEVICE, os.W_OK)


def _request_where_slow() -> int | None:
    """Returns what keeps cores awake until it is closed; None where they answer fast, or nothing may be done."""
    request = None
    try:
        if may_be_kept_awake() and answer_us() > SLOW_US:
            request = os.open(DEVICE, os.O_WRONLY)
            os.write(request, _NO_LATENCY)
    except (OSError, RuntimeError):  # Linux or a limit on threads forbids it: work goes on, slower
        if request is not None:
            os.close(request)
        return None
    return request


def _move_this_thread(cores: set[int]) -> None:
    with contextlib.suppress(OSError):  # where that is forbidden, threads stay where they are
        os.sched_setaffinity(0, cores)


def _ask(questions: "queue.SimpleQueue[bool]", answers: "queue.SimpleQueue[bool]") -> float:
    """Returns how long the answer took, in seconds."""
    time.sleep(_PAUSE_S)
    start = time.perf_counter()
    questions.put(True)
    answers.get()
    return time.perf_counter() - start
