"""How much memory there is, and how much this process holds, where the system tells (Linux)."""

import os
from pathlib import Path

_MEMINFO, _STATM = Path("/proc/meminfo"), Path("/proc/self/statm")
_GROUP = Path("/sys/fs/cgroup")  # of a container, version 2


def available_bytes() -> int | None:
    """Returns how many bytes can still be had without swapping; None where nobody tells."""
    found = [value for value in (_of_machine(), _of_group()) if value is not None]
    return min(found, default=None)


def resident_bytes() -> int | None:
    """Returns how many bytes this process holds; None where nobody tells."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _of_machine() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None


def _of_group() -> int | None:
    """Counts as free what the group holds of files that nobody has read lately: the system takes it when it must."""
    try:
        limit, used = (int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        found = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return max(0, limit - used + int(found["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return None
