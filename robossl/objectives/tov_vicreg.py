"""TOV-VICReg: two views of a moment agree, and the order of three moments can be told.

Goulao and Oliveira, arXiv 2209.10901; weights of the released training script. Departures, for robots: no flips, no
crops unless asked for, photometric changes alike for all frames of a stack, no window that crosses an episode's end,
and neighbours augmented like the moment itself.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from robossl.core.errors import UserError
from robossl.data.batches import WindowBatch
from robossl.nets import MultimodalEncoder, mlp
from robossl.objectives.objective import (
    Objective,
    encode,
    encoded_dim,
    no_loss,
    or_none,
    repeats,
    require_weights,
    rows,
    where_true,
)
from robossl.objectives.temporal_order import draw_orders, in_order
from robossl.objectives.vicreg import covariance_loss, invariance_loss, variance_loss
from robossl.objectives.views import ViewConfig, make_view


@dataclass(frozen=True, slots=True, kw_only=True)
class TOVVICRegConfig:
    """Options of `TOVVICReg`.

    Attributes:
        weight: of the whole loss among others.
        gap: steps to either neighbour; at least the frame stack's length keeps stacks apart.
        invariance: weight of the term that pulls two views of a moment together.
        variance: weight of the term that keeps features spread.
        covariance: weight of the term that keeps features from repeating each other.
        temporal: weight of the term that tells the order of moments.
        balanced: asks about ordered and disordered moments equally often.
        reversal_equivalent: counts the reversed order as ordered.
        projector: hidden and output sizes of the head before the VICReg terms.
        order_hidden: hidden sizes of the head that tells the order; none is the paper's linear one.
        view: of the moment, drawn twice.
        neighbour_view: of its neighbours; one of another kind than `view` would tell the moments apart.
    """

    min_windows: ClassVar[int] = 2  # a variance needs two samples
    kind: Literal["tov_vicreg"] = "tov_vicreg"
    weight: float = 1.0
    gap: int = 3
    invariance: float = 10.0
    variance: float = 10.0
    covariance: float = 10.0
    temporal: float = 0.1
    balanced: bool = False
    reversal_equivalent: bool = False
    projector: tuple[int, ...] = (256, 256, 256)
    order_hidden: tuple[int, ...] = ()
    view: ViewConfig = field(default_factory=ViewConfig)
    neighbour_view: ViewConfig = field(default_factory=ViewConfig)

    def __post_init__(self) -> None:
        require_weights(self, "weight", "invariance", "variance", "covariance", "temporal")
        if self.gap < 1 or not self.projector:
            raise UserError(f"tov_vicreg: needs gap >= 1 and a projector, got {self.gap} and {self.projector}")


class TOVVICReg(Objective):
    """See the module's docstring. Moments are (t - gap, t, t + gap) with t in the middle of the window."""

    name: ClassVar[str] = "tov_vicreg"

    def __init__(self, config: TOVVICRegConfig, encoder: MultimodalEncoder, action_dim: int) -> None:
        super().__init__()
        config.view.require_fit(encoder.observation)
        config.neighbour_view.require_fit(encoder.observation)
        self.config = config
        self.window, self.reach = 2 * config.gap + 1, f"gap {config.gap}"
        dim = encoded_dim(encoder)
        self.projector = mlp((dim, *config.projector), batch_norm=True)
        self.order_head = mlp((3 * dim, *config.order_hidden, 1))

    def forward(
        self, encoder: MultimodalEncoder, batch: WindowBatch, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Objective.forward`."""
        config = self.config
        is_whole = self.usable(batch.mask)
        whole = where_true(is_whole)
        before, now, after = (rows(batch.step(t), whole) for t in (0, config.gap, 2 * config.gap))
        if len(whole) < config.min_windows:
            return no_loss(batch), {}
        views = [make_view(now, config.view, generator, batch.coloured) for _ in range(2)]
        views += [make_view(other, config.neighbour_view, generator, batch.coloured) for other in (before, after)]
        x, y, z_before, z_after = (encode(encoder, view) for view in views)
        projected, times = (self.projector(x), self.projector(y)), repeats(is_whole)
        terms = {
            "invariance": invariance_loss(*projected),
            "variance": (variance_loss(projected[0], times) + variance_loss(projected[1], times)) / 2,
            "covariance": covariance_loss(projected[0], times) + covariance_loss(projected[1], times),
            "temporal": self._temporal_loss(torch.stack([z_before, x, z_after], dim=1), generator),
        }
        loss = torch.stack([getattr(config, term) * value for term, value in terms.items()]).sum()
        return or_none(loss, is_whole), {f"{self.name}_{term}": value.detach() for term, value in terms.items()}

    def usable(self, mask: Tensor) -> Tensor:
        """Returns which windows are whole, [B]."""
        return mask[:, self.window - 1]

    def _temporal_loss(self, moments: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the cross-entropy of telling which of `moments` [B, 3, D] were put in disorder."""
        config = self.config
        orders, labels = draw_orders(
            len(moments), generator, balanced=config.balanced, reversal_equivalent=config.reversal_equivalent
        )
        logits = self.order_head(in_order(moments, orders))[:, 0]
        return F.binary_cross_entropy_with_logits(logits, labels)
