"""The machine and the software that figures of speed depend on: what a file of them has to tell."""

import platform
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from robossl.core.idle_cores import are_kept_awake
from robossl.core.processor import num_cores, processor_name
from robossl.version import VERSION

_PACKAGES = ("mujoco", "numpy", "torch", "numba", "pybullet", "mujoco-warp", "warp-lang")


def machine() -> dict[str, Any]:
    """Returns what figures of speed depend on, and when it was asked for.

    Raises:
        ImportError: without torch, which tells of its threads and of the GPU.
    """
    import torch

    return {
        **system(),
        "torch_threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "idle_cores_kept_awake": are_kept_awake(),
    }


def system() -> dict[str, Any]:
    """Returns the part of it that needs no package; of packages, the versions of those that are installed."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": processor_name(),
        "cores": num_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {"robossl": VERSION, **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
