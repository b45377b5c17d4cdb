"""The noise around an actor's mean, where it should lead somewhere.

White noise averages out where a policy decides often: an arm trembles on the spot. Pink noise, whose power falls as
1 / frequency, also sways slowly, and explores farther with the same distribution at every moment (Eberhard et al.,
"Pink Noise Is All You Need", ICLR 2023). What learns off policy does not mind where its actions came from, or with
returns of n steps only a little.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from robossl.core import UserError

NoiseColour = Literal["white", "pink"]
COLOURS: tuple[NoiseColour, ...] = get_args(NoiseColour)

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

    def require_alike(self, parts: Tensor | None) -> None:
        """Checks that `parts` can take the place of these.

        Raises:
            UserError: if they are of no pink noise, or of other worlds and actions.
        """
        if parts is None or parts.shape != self.parts.shape:
            found = "none" if parts is None else list(parts.shape)
            raise UserError(
                f"the state holds pink noise {found}, the agent is configured with {list(self.parts.shape)}"
            )

    def normal(self) -> Tensor:
        """Returns the next ones, [N, A]."""
        fresh = torch.randn(self.parts.shape, generator=self._generator, device=self.parts.device)
        self.parts = self._keep * self.parts + self._renew * fresh
        return self.parts.sum(dim=0) / math.sqrt(_OCTAVES)

    def uniform(self) -> Tensor:
        """Returns the next ones, mapped to where they are spread evenly: (-1, 1), [N, A]."""
        return torch.erf(self.normal() / math.sqrt(2))
