"""How much memory there is, and how much this process holds, where the system tells (Linux)."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_MEMINFO, _STATM = Path("/proc/meminfo"), Path("/proc/self/statm")
_MEMBERSHIP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_VERSION_1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
_VERSION_2 = "memory.max", "memory.current", "inactive_file"


def available_bytes() -> int | None:
    """Returns how many bytes can still be had without swapping; None where nobody tells."""
    found = [value for value in (_of_machine(), *_of_groups()) if value is not None]
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


def _of_groups() -> Iterator[int | None]:
    """Tells what is free in each of this process's control groups: its own and those above it, which bound it, too.

    A container may see its own group as the topmost one, and be told of a path that is not there.
    """
    try:
        lines = [line.split(":", 2) for line in _MEMBERSHIP.read_text().splitlines()]
    except OSError:
        return
    for number, controllers, path in lines:
        is_version_1 = "memory" in controllers.split(",")
        if is_version_1 or number == "0":
            root, names = (_GROUPS / "memory", _VERSION_1) if is_version_1 else (_GROUPS, _VERSION_2)
            own = PurePosixPath(path.lstrip("/"))
            for group in (own, *own.parents):
                yield _of_group(root / group, *names)


def _of_group(folder: Path, limit: str, used: str, reclaimable: str) -> int | None:
    """Counts as free what the group holds of files that nobody has read lately: the system takes it when it must."""
    try:
        left = int((folder / limit).read_text()) - int((folder / used).read_text())
        found = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, left + int(found[reclaimable]))
    except (OSError, ValueError, KeyError):
        return None
