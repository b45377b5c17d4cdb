"""Names, specs, seeding and borders that every other package shares; numpy only."""

from robossl.core.errors import CorruptFileError, UnknownNameError, UserError
from robossl.core.frames import FrameStack
from robossl.core.protocols import Array, BatchEnv, Obs, Policy, StepBatch, Tree
from robossl.core.seeding import Draws, Stream
from robossl.core.specs import ArraySpec, CameraSpec, EnvSpec, RenderSpec

__all__ = [
    "Array",
    "ArraySpec",
    "BatchEnv",
    "CameraSpec",
    "CorruptFileError",
    "Draws",
    "EnvSpec",
    "FrameStack",
    "Obs",
    "Policy",
    "RenderSpec",
    "StepBatch",
    "Stream",
    "Tree",
    "UnknownNameError",
    "UserError",
]
