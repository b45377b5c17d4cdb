"""What SAC's actions are drawn with while experience is gathered."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robossl.agents import state
from robossl.agents.pink_noise import COLOURS, NoiseColour, PinkNoise
from robossl.core import Tree


class Exploration:
    """Random numbers [N, A] for one decision after the other, white or pink.

    Args:
        num_worlds, num_actions: N and A.
        noise: their colour.
        generator: that an actor draws from, on its device; pink noise does, too.
        seed: of the actions that are drawn before there is anything to learn from.

    Raises:
        ValueError: if there is no such colour.
    """

    def __init__(
        self, num_worlds: int, num_actions: int, noise: NoiseColour, *, generator: torch.Generator, seed: int
    ) -> None:
        if noise not in COLOURS:
            raise ValueError(f"noise must be one of {', '.join(COLOURS)}, got {noise!r}")
        self._shape, self._warmup = (num_worlds, num_actions), np.random.default_rng(seed)
        self._pink = PinkNoise(num_worlds, num_actions, generator) if noise == "pink" else None

    def uniform(self) -> NDArray[np.float32]:
        """Returns actions that are evenly spread in [-1, 1]."""
        if self._pink is not None:
            return self._pink.uniform().cpu().numpy()
        return self._warmup.uniform(-1.0, 1.0, self._shape).astype(np.float32)

    def normal(self) -> Tensor | None:
        """Returns standard normal numbers on the device; None where the actor draws its own, which are white."""
        return None if self._pink is None else self._pink.normal()

    def get_state(self) -> Tree:
        """Returns what comes next."""
        return {
            "warmup": state.numpy_state(self._warmup),
            "pink": state.tensor_copy(None if self._pink is None else self._pink.parts),
        }

    def require_alike(self, tree: Tree) -> None:
        """Checks that `set_state` can put this back.

        Raises:
            UserError: if it is of other noise.
        """
        if self._pink is not None:
            self._pink.require_alike(tree.get("pink"))

    def set_state(self, tree: Tree) -> None:
        """Puts back what `get_state` returned."""
        state.restore_numpy(self._warmup, tree["warmup"])
        if self._pink is not None:
            self._pink.parts.copy_(tree["pink"])
