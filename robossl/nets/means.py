"""Means of what updates report, kept as tensors and read once."""

from collections import defaultdict

import torch
from torch import Tensor

from robossl.core.protocols import Tree

_ALWAYS = "train/"


class Means:
    """Sums 0-d tensors by name, each over the updates that gave it; nothing leaves the device before `read`.

    An update gives no value of a name that it leaves out. What a recorded update returns has always the same names:
    where an objective has no value, it is NaN. What agents tell of themselves (`train/`) always has one, and is NaN
    where learning has gone astray.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}  # [2, n] sums and counts of values that came together
        self._may_lack: dict[tuple[str, ...], Tensor] = {}  # [n] of which of them NaN is no value

    def add(self, values: dict[str, Tensor]) -> None:
        """Adds one value per name."""
        if not values:
            return
        names = tuple(values)
        told = torch.stack([value.detach().reshape(()).float() for value in values.values()])
        if names not in self._may_lack:
            may_lack = [not name.startswith(_ALWAYS) for name in names]
            self._may_lack[names] = torch.tensor(may_lack, device=told.device)
        missing = told.isnan() & self._may_lack[names]
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
