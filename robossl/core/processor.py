"""What this process may use of the machine."""

import os
import platform
from contextlib import suppress
from pathlib import Path

from robossl.core.errors import UserError

_CPUINFO = Path("/proc/cpuinfo")
_MOST_THREADS = 1024  # more are a slip, and libraries end the process over some ten thousand
_SPINS = "3000"  # some tens of microseconds, as long as torch's next operation is usually off


def num_cores() -> int:
    """Counts the cores this process may use: fewer than the machine has, where it is confined."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """Returns the processor's name, or of which kind it is where the system does not tell its name."""
    with suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def require_num_threads(name: str, num_threads: int | None) -> None:
    """Checks a number of threads that somebody asked for; None stands for as many as there are cores.

    Raises:
        UserError: with the name.
    """
    if num_threads is not None and not 1 <= num_threads <= _MOST_THREADS:
        raise UserError(f"{name} must be in 1..{_MOST_THREADS}, got {num_threads}")


def let_idle_threads_sleep() -> None:
    """Has torch's threads wait for work for a moment only: by themselves they keep their cores busy for milliseconds.

    They keep them from the physics, and on a busy machine from one another. Counts where torch is not loaded yet;
    whoever has chosen for themselves is left alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
