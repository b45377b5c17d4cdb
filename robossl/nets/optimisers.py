"""Adam, and learning rates that change while it runs, also where its steps are recorded."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def adam(groups: Iterable[Any], learning_rate: float, *, eps: float = 1e-8) -> torch.optim.Adam:
    """Returns Adam over parameters or groups of them; fused: on a CPU the default takes four times as long."""
    return torch.optim.Adam(groups, lr=learning_rate, eps=eps, fused=True)


def make_recordable(optimizers: Iterable[torch.optim.Optimizer], device: torch.device) -> None:
    """Keeps all that changes in an optimiser's steps in tensors on the device, as `Recorded` needs it on a GPU."""
    if device.type != "cuda":
        return
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["capturable"], group["lr"] = True, torch.tensor(float(group["lr"]), device=device)


def set_learning_rates(optimizers: Iterable[torch.optim.Optimizer], learning_rate: float) -> None:
    """Gives every group the scheduled rate times its own scale, where it has one."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            rate = learning_rate * group.get("scale", 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
