"""Self-supervised objectives, for pretraining and as auxiliary losses alike."""

from robossl.objectives.choice import ObjectiveConfig, make_objective, require_batch_size
from robossl.objectives.inverse_dynamics import InverseDynamicsConfig
from robossl.objectives.latent_prediction import LatentPredictionConfig
from robossl.objectives.learner import RepresentationLearner
from robossl.objectives.objective import Objective
from robossl.objectives.tov_vicreg import TOVVICRegConfig
from robossl.objectives.views import ViewConfig

__all__ = [
    "InverseDynamicsConfig",
    "LatentPredictionConfig",
    "Objective",
    "ObjectiveConfig",
    "RepresentationLearner",
    "TOVVICRegConfig",
    "ViewConfig",
    "make_objective",
    "require_batch_size",
]
