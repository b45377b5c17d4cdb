"""Means of what an agent's updates report, kept as tensors and read once."""

from collections import defaultdict

import torch
from torch import Tensor


class Means:
    """Sums 0-d tensors by name; nothing leaves the device before `read`."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, values: dict[str, Tensor]) -> None:
        """Adds one value per name."""
        for name, value in values.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] += 1

    def read(self) -> dict[str, float]:
        """Returns the means, in one transfer."""
        if not self._sums:
            return {}
        sums = torch.stack([value.reshape(()).float() for value in self._sums.values()]).tolist()
        return {name: value / self._counts[name] for name, value in zip(self._sums, sums, strict=True)}
