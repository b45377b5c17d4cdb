"""Refuses buffers that would not fit, before the machine starts to swap."""

import torch

from robossl.core import UserError, memory

_SHARE = 0.8  # of what is free: the rest is for batches, networks and everything else


def require_memory(num_bytes: int, device: torch.device, *, what: str) -> None:
    """Checks that `num_bytes` fit into the memory that is free on `device`.

    Raises:
        UserError: naming both sizes.
    """
    available = available_bytes(device)
    if available is not None and num_bytes > _SHARE * available:
        raise UserError(
            f"{what} needs {num_bytes / 2**30:.1f} GiB, but only {available / 2**30:.1f} GiB are free on {device.type} "
            f"({_SHARE:.0%} may be used)"
        )


def available_bytes(device: torch.device) -> int | None:
    """Returns the free memory of `device`, or None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return memory.available_bytes()
