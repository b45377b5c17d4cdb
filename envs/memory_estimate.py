"""What an environment's worlds will take of memory, estimated before any of it is allocated.

The factors count the copies that a step makes. Against what was measured (20,000 worlds of RingCorridor and of ArmPush:
7 and 9 KiB each; 61 KiB with a picture of 64x64) the estimate is 7, 8 and 69 KiB; of 1,000 worlds of RoomsPointGoal,
whose shortest paths are kept (106 KiB each), it is 120 KiB.
"""

from typing import Any

import mujoco

from robossl.core import ArraySpec, UserError
from robossl.core.memory import available_bytes
from robossl.envs.mujoco_fields import model_default
from robossl.envs.render.renderer import is_flow
from robossl.envs.task import Memory

_OF_STATE, _OF_MODEL, _OF_OBSERVATION, _OF_MEMORY = 4, 3, 5, 6  # copies at once; of memory, what is laid out ahead
_OF_FLOW = 150  # bytes of a pixel: matrices and vectors in double precision
_GIB = 2**30


def require_memory(
    num_worlds: int, model: Any, observation: dict[str, ArraySpec], fields: set[str], memory: Memory
) -> None:
    """Checks that the worlds fit into the memory that is free.

    Args:
        num_worlds: N.
        model: compiled.
        observation: what is seen of each world.
        fields: of the model that differ between worlds.
        memory: of the task, for one world.

    Raises:
        UserError: naming what they need and what is free.
    """
    free, each = available_bytes(), bytes_per_world(model, observation, fields, memory)
    if free is not None and num_worlds * each > free:
        raise UserError(
            f"env.num-worlds {num_worlds}: they need about {num_worlds * each / _GIB:,.1f} GiB of memory and "
            f"{free / _GIB:,.1f} GiB are free: room for about {free // each:,}"
        )


def bytes_per_world(model: Any, observation: dict[str, ArraySpec], fields: set[str], memory: Memory) -> int:
    """Estimates the bytes that one more world takes."""
    state = 8 * mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION.value)
    values = sum(model_default(model, field).nbytes for field in fields)
    seen = sum(spec.num_bytes for spec in observation.values())
    pixels = sum(spec.shape[0] * spec.shape[1] for key, spec in observation.items() if spec.is_image and is_flow(key))
    remembered = sum(part.nbytes for part in memory.values())
    num_bytes = _OF_STATE * state + _OF_MODEL * values + _OF_OBSERVATION * seen + _OF_MEMORY * remembered
    return int(num_bytes + _OF_FLOW * pixels)
