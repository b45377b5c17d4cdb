"""What this process may use of the machine."""

import os


def num_cores() -> int:
    """Counts the cores this process may use: fewer than the machine has, where it is confined."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
