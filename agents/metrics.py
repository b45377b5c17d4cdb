"""Means of what an agent's updates report, kept as tensors and read once."""

from collections import defaultdict

import torch
from torch import Tensor


class Means:
    """Sums 0-d tensors by name; nothing leaves the device before `read`."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}  # of values that came together, copied into one tensor
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, values: dict[str, Tensor]) -> None:
        """Adds one value per name."""
        if not values:
            return
        names = tuple(values)
        added = torch.stack([value.detach().reshape(()).float() for value in values.values()])
        self._sums[names] = self._sums[names] + added if names in self._sums else added
        for name in names:
            self._counts[name] += 1

    def read(self) -> dict[str, float]:
        """Returns the means, in one transfer."""
        if not self._sums:
            return {}
        names = [name for together in self._sums for name in together]
        sums: dict[str, float] = defaultdict(float)
        for name, value in zip(names, torch.cat(list(self._sums.values())).tolist(), strict=True):
            sums[name] += value
        return {name: value / self._counts[name] for name, value in sums.items()}
