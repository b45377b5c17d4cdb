"""The objectives that can be chosen, as one type for configuration files."""

from typing import TypeAlias

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
