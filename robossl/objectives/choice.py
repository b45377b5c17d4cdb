"""The objectives that can be chosen, as one type for configuration files."""

from collections.abc import Sequence
from typing import TypeAlias

from robossl.core.errors import UserError
from robossl.core.registry import OBJECTIVES, load
from robossl.nets import MultimodalEncoder
from robossl.objectives.inverse_dynamics import InverseDynamicsConfig
from robossl.objectives.latent_prediction import LatentPredictionConfig
from robossl.objectives.objective import Objective
from robossl.objectives.tov_vicreg import TOVVICRegConfig

ObjectiveConfig: TypeAlias = TOVVICRegConfig | LatentPredictionConfig | InverseDynamicsConfig


def make_objective(config: ObjectiveConfig, encoder: MultimodalEncoder, action_dim: int) -> Objective:
    """Builds the objective that `config.kind` names."""
    objective: Objective = load(OBJECTIVES, config.kind, what="objective")(config, encoder, action_dim)
    return objective


def require_batch_size(objectives: Sequence[ObjectiveConfig], batch_size: int, *, what: str) -> None:
    """Checks that every objective can learn from batches of so many windows.

    Raises:
        UserError: if one needs more, naming it and the setting `what`.
    """
    for config in objectives:
        if batch_size < config.min_windows:
            raise UserError(f"{what} must be at least {config.min_windows} for {config.kind}, got {batch_size}")
