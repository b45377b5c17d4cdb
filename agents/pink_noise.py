"""The noise around an actor's mean, where it should lead somewhere.

White noise averages out where a policy decides often: an arm trembles on the spot. Pink noise, whose power falls as
1 / frequency, also sways slowly, and explores farther with the same distribution at every moment (Eberhard et al.,
"Pink Noise Is All You Need", ICLR 2023). What learns off policy does not mind where its actions came from.
"""

import math
from typing import Literal

import torch
from torch import Tensor

NoiseColour = Literal["white", "pink"]

_OCTAVES = 7  # of correlation times in decisions: 1, 2, 4, ... 64


class PinkNoise:
    """Standard normal numbers [N, A] for one decision after the other, which also sway over up to some 400 of them.

    Each is a sum of Ornstein-Uhlenbeck processes whose correlation times are octaves apart, so that none has to be
    drawn ahead. They go on where episodes end.

    Args:
        num_worlds, num_actions: N and A.
        generator: that they are drawn from, on its device.

    Attributes:
        parts: [7, N, A], the processes: all that is to be remembered.
    """

    def __init__(self, num_worlds: int, num_actions: int, generator: torch.Generator) -> None:
        self._generator, device = generator, generator.device
        self._keep = torch.exp(-1 / 2.0 ** torch.arange(_OCTAVES, device=device))[:, None, None]
        self._renew = torch.sqrt(1 - self._keep.square())
        self.parts = torch.randn((_OCTAVES, num_worlds, num_actions), generator=generator, device=device)

    def normal(self) -> Tensor:
        """Returns the next ones, [N, A]."""
        fresh = torch.randn(self.parts.shape, generator=self._generator, device=self.parts.device)
        self.parts = self._keep * self.parts + self._renew * fresh
        return self.parts.sum(dim=0) / math.sqrt(_OCTAVES)

    def uniform(self) -> Tensor:
        """Returns the next ones, mapped to where they are spread evenly: (-1, 1), [N, A]."""
        return torch.erf(self.normal() / math.sqrt(2))
