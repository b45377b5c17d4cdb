"""Names, specs, seeding and borders that every other package shares; numpy only."""

from robossl.core.bundle import Bundle
from robossl.core.contract import Contract
from robossl.core.errors import CorruptFileError, UnknownNameError, UsageError, UserError
from robossl.core.frames import FrameStack
from robossl.core.protocols import Array, BatchEnv, Obs, Policy, StepBatch, Tree
from robossl.core.seeding import Draws, Stream
from robossl.core.specs import ArraySpec, CameraSpec, CommandSpec, EnvSpec, MotionSpec, RenderSpec, SetpointSpec

__all__ = [
    "Array",
    "ArraySpec",
    "BatchEnv",
    "Bundle",
    "CameraSpec",
    "CommandSpec",
    "Contract",
    "CorruptFileError",
    "Draws",
    "EnvSpec",
    "FrameStack",
    "MotionSpec",
    "Obs",
    "Policy",
    "RenderSpec",
    "SetpointSpec",
    "StepBatch",
    "Stream",
    "Tree",
    "UnknownNameError",
    "UsageError",
    "UserError",
]
