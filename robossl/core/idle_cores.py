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
from statistics import quantiles

from robossl.core.errors import UserError
from robossl.core.processor import num_cores

DEVICE = Path("/dev/cpu_dma_latency")
CHOICE = "ROBOSSL_IDLE_CORES"
SLOW_US = 20.0
"""Slower answers are worth the power. Cores of a machine of one's own take 5 to 10."""

_NO_LATENCY = struct.pack("i", 0)
_QUESTIONS, _PAUSE_S = 31, 2e-4
_PATIENCE_S = 0.2  # with an answer; a thread that is asked nothing for ten times as long ends


def answer_us() -> float | None:
    """Measures how long a thread that sleeps on another core takes to answer; that takes some milliseconds.

    Returns:
        The lower quartile of some times: other programs lengthen many, and at first the thread may not sleep yet. In
        microseconds; None where there is no other core, or no other thread.
    """
    if num_cores() == 1 or not hasattr(os, "sched_setaffinity"):
        return None
    allowed = os.sched_getaffinity(0)
    here, there = sorted(allowed)[:2]
    questions, answers = queue.SimpleQueue[bool](), queue.SimpleQueue[bool]()

    def answer() -> None:
        _move_this_thread({there})
        with contextlib.suppress(queue.Empty):
            while questions.get(timeout=10 * _PATIENCE_S):
                answers.put(True)

    thread = threading.Thread(target=answer, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # as where a limit forbids it
        return None
    try:
        _move_this_thread({here})
        return 1e6 * quantiles([_ask(questions, answers) for _ in range(_QUESTIONS)])[0]
    finally:
        _move_this_thread(allowed)
        questions.put(False)
        thread.join()


@contextmanager
def awake_cores() -> Iterator[bool]:
    """Keeps idle cores awake meanwhile, if they answer slowly; says whether it does.

    Linux lets those do so who may write to `DEVICE`: root, unless somebody gave it to others. Where the environment has
    `ROBOSSL_IDLE_CORES=sleep`, nothing is done. Threads may do this side by side; a forked child keeps nothing awake.

    Raises:
        UserError: if `ROBOSSL_IDLE_CORES` is anything else.
    """
    user = object()
    try:
        _request.begin(user)
        yield are_kept_awake()
    finally:
        _request.end(user)


def are_kept_awake() -> bool:
    """Tells whether this process keeps idle cores awake now."""
    return _request.file is not None


def may_be_kept_awake() -> bool:
    """Tells whether this process is allowed to."""
    return os.access(DEVICE, os.W_OK)


def is_told_not_to() -> bool:
    """Tells whether somebody wants cores left alone.

    Raises:
        UserError: if the environment says something else.
    """
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "sleep"):
        raise UserError(f"{CHOICE} must be 'sleep', or not be set; got {choice!r}")
    return choice == "sleep"


class _Request:
    """What keeps cores awake until it is closed: one for all who use it.

    Attributes:
        file: its descriptor; None where cores are let sleep.
    """

    def __init__(self) -> None:
        self.file: int | None = None
        self._lock, self._users = threading.RLock(), set[object]()
        self._opened: os.stat_result | None = None

    def begin(self, user: object) -> None:
        """Opens it, if nobody has and it is worth it."""
        with self._lock:
            self._users.add(user)
            if self.file is None and not is_told_not_to() and may_be_kept_awake() and _are_slow():
                self._open()

    def end(self, user: object) -> None:
        """Closes it after the last user."""
        with self._lock:
            self._users.discard(user)
            if self.file is not None and not self._users:
                file, self.file = self.file, None
                self._close(file)

    def forget(self) -> None:
        """Leaves it to the process that this one was forked from, whose threads are not here to give the lock back."""
        file, self.file = self.file, None
        self._lock, self._users = threading.RLock(), set()
        if file is not None:
            self._close(file)

    def _open(self) -> None:
        with contextlib.suppress(OSError):  # Linux changed its mind: it is only about speed
            file = os.open(DEVICE, os.O_WRONLY)
            self._opened = os.fstat(file)
            try:
                os.write(file, _NO_LATENCY)
            except BaseException:
                os.close(file)
                raise
            self.file = file

    def _close(self, file: int) -> None:
        """Closes it, unless somebody did, who may have another file under that number."""
        with contextlib.suppress(OSError):
            if self._opened is not None and os.path.samestat(os.fstat(file), self._opened):
                os.close(file)


_request = _Request()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_request.forget)


def _are_slow() -> bool:
    us = answer_us()
    return us is not None and us > SLOW_US


def _move_this_thread(cores: set[int]) -> None:
    with contextlib.suppress(OSError):  # where that is forbidden, threads stay where they are
        os.sched_setaffinity(0, cores)


def _ask(questions: "queue.SimpleQueue[bool]", answers: "queue.SimpleQueue[bool]") -> float:
    """Returns how long the answer took, in seconds."""
    time.sleep(_PAUSE_S)
    start = time.perf_counter()
    questions.put(True)
    with contextlib.suppress(queue.Empty):
        answers.get(timeout=_PATIENCE_S)
    return time.perf_counter() - start
