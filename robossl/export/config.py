"""What is written, and what counts as equal."""

from dataclasses import dataclass
from typing import Literal

from robossl.core.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """Chooses what is written and what counts as equal.

    Attributes:
        quantise: make weights and layers' inputs 8-bit integers; as they were trained where None.
        tolerance: how far torch and ONNX Runtime may be apart, in units of the action's [-1, 1]; without effect on a
            quantised graph, which is another policy.
        max_success_loss: by how much a quantised graph's share of episodes that succeed may be below the agent's.
    """

    quantise: Literal["int8"] | None = None
    tolerance: float = 1e-4
    max_success_loss: float = 0.05

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not self.tolerance > 0:
            raise UserError(f"tolerance must be positive, got {self.tolerance}")
        if not 0 <= self.max_success_loss <= 1:
            raise UserError(f"max-success-loss must be in [0, 1], got {self.max_success_loss}")
