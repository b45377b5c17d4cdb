"""Imports NVIDIA Warp and MuJoCo Warp, in this one place, without the lines that they print on the way."""

import sys
from pathlib import Path
from typing import Any

import warp

from robossl.core import UserError
from robossl.envs.optional import silenced

warp.config.log_level = warp.LOG_ERROR
with silenced():  # the native library says there that it found no GPU
    warp.init()  # type: ignore[no-untyped-call]

import mujoco_warp  # noqa: E402 (it asks Warp for its devices)

__all__ = ["device_named", "device_names", "mujoco_warp", "tell_of_compilation", "warp"]


def device_named(name: str | None) -> Any:
    """Returns the Warp device "cpu", "cuda" or "cuda:<number>"; where None, a GPU if there is one.

    Raises:
        UserError: if the machine has no such device.
    """
    known = device_names()
    wanted = name or (known[1] if len(known) > 1 else "cpu")
    wanted = known[1] if wanted == "cuda" and len(known) > 1 else wanted
    if wanted not in known:
        raise UserError(f"engine warp: there is no device {wanted!r} here; there is {', '.join(known)}")
    return warp.get_device(wanted)


def device_names() -> list[str]:
    """Returns "cpu" and all GPUs."""
    return ["cpu", *(device.alias for device in warp.get_cuda_devices())]


def tell_of_compilation() -> None:
    """Says on the standard error what takes so long, where no kernel of MuJoCo Warp was ever compiled."""
    cache = Path(str(warp.config.kernel_cache_dir))
    if not any(cache.glob("wp_mujoco_warp*")):
        sys.stderr.write(f"engine warp: the first use compiles kernels, for about a minute; kept in {cache}\n")
