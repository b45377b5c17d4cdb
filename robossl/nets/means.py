"""Means of what updates report, kept as tensors and read once."""

from collections import defaultdict

import torch
from torch import Tensor

from robossl.core.protocols import Tree


class Means:
    """Sums 0-d tensors by name, each over the updates that gave it; nothing leaves the device before `read`.

    An update gives no value of a name that it leaves out, or whose value is NaN: what a recorded update returns has
    always the same names.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}  # [2, n] sums and counts of values that came together

    def add(self, values: dict[str, Tensor]) -> None:
        """Adds one value per name."""
        if not values:
            return
        names = tuple(values)
        told = torch.stack([value.detach().reshape(()).float() for value in values.values()])
        missing = told.isnan()
        added = torch.stack([told.masked_fill(missing, 0.0), (~missing).float()])
        self._sums[names] = self._sums[names] + added if names in self._sums else added

    def read(self) -> dict[str, float]:
        """Returns the means of what was given at least once, in one transfer."""
        if not self._sums:
            return {}
        names = [name for together in self._sums for name in together]
        sums: dict[str, float] = defaultdict(float)
        counts: dict[str, float] = defaultdict(float)
        for name, value, count in zip(names, *torch.cat(list(self._sums.values()), dim=1).tolist(), strict=True):
            sums[name] += value
            counts[name] += count
        return {name: value / counts[name] for name, value in sums.items() if counts[name]}

    def get_state(self) -> Tree:
        """Returns the sums so far, so that they go on bit for bit."""
        return [{"names": list(names), "sums": sums.clone()} for names, sums in self._sums.items()]

    def set_state(self, state: Tree, device: torch.device) -> None:
        """Puts back what `get_state` returned."""
        self._sums = {tuple(entry["names"]): entry["sums"].to(device) for entry in state}
