"""What every sensor offers, and how it finds its things in a model."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, Draws, UserError
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.per_model import per_model
from robossl.envs.world_values import own_or_shared

Memory = dict[str, NDArray[Any]]
"""What a sensor remembers of each world from step to step, {name: [N, ...]}; checkpointed with the physics."""


class Sensor(ABC):
    """Reads N worlds. A subclass is a small frozen dataclass that says where the sensor sits and what it is like.

    Attributes:
        record: fields that the engine reads before the first substep for it, and after each.
    """

    __slots__ = ()
    record: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """Describes its readings in a model.

        Raises:
            UserError: if the model lacks what the sensor needs.
        """

    @abstractmethod
    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """Returns the readings [n, ...] of the worlds `ids`, as `spec` describes them; they are copied.

        Args:
            engine: the worlds.
            recorded: {name: [N, 1 + num_substeps, ...]} of `record`, before the first substep and after each; at an
                episode's start its state, repeated.
            memory: its own.
            ids: [n].
        """

    def columns(self, model: Any) -> list[slice]:
        """Returns where in `sensordata` the MJCF sensors write that it reads; they are off where nobody looks at it."""
        return []

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns zeroed memory for N worlds; it is zeroed again for every episode, before `begin`.

        Its names, shapes and dtypes stay as they are.
        """
        return {}

    def begin(self, engine: Engine, memory: Memory, ids: NDArray[np.int64], draws: Draws) -> None:  # noqa: B027 (may do nothing)
        """Prepares the memory of worlds whose episodes have just begun; `draws` gives [n, ...]."""

    def advance(self, engine: Engine, memory: Memory, draws: Draws) -> None:  # noqa: B027 (may do nothing)
        """Updates the memory after every control step; `draws` gives [N, ...], others at every decision."""


@per_model
def known_columns(model: Any, sensor: Sensor) -> list[slice]:
    """Returns `Sensor.columns` of a model that is being read: they no longer change, and take longer than to read."""
    return sensor.columns(model)


def sensor_columns(model: Any, name: str) -> slice:
    """Returns where in `sensordata` the MJCF sensor of this name writes."""
    index = element_id(model, "sensor", name)
    first = int(model.sensor_adr[index])
    return slice(first, first + int(model.sensor_dim[index]))


def site_columns(model: Any, kind: str, site: str) -> slice:
    """Returns where in `sensordata` the site's MJCF sensor of a kind ("gyro", "force", ...) writes.

    Raises:
        UserError: if the site has none.
    """
    sensor_type = getattr(mujoco.mjtSensor, f"mjSENS_{kind.upper()}").value
    is_there = (model.sensor_objtype == mujoco.mjtObj.mjOBJ_SITE.value) & (
        model.sensor_objid == element_id(model, "site", site)
    )
    is_absolute = model.sensor_reftype == mujoco.mjtObj.mjOBJ_UNKNOWN.value
    found = np.flatnonzero(is_there & is_absolute & (model.sensor_type == sensor_type))
    if len(found) == 0:
        raise UserError(f"the model has no <{kind} site={site!r}/> among its sensors")
    first = int(model.sensor_adr[found[0]])
    return slice(first, first + int(model.sensor_dim[found[0]]))


def require_unaltered(model: Any, columns: list[slice]) -> None:
    """Checks that the MJCF sensors that write there tell every moment as it is: a sensor computes on from them.

    Raises:
        UserError: if one is cut off, late or sampled now and then.
    """
    for part in columns:
        index = int(np.flatnonzero(model.sensor_adr == part.start)[0])
        if model.sensor_cutoff[index] > 0 or model.sensor_history[index, 0] > 0:
            kind = mujoco.mjtSensor(model.sensor_type[index]).name.removeprefix("mjSENS_").lower()
            site = model.site(model.sensor_objid[index]).name
            raise UserError(
                f"<{kind} site={site!r}/> has a cutoff, delay or interval: sensors compute from its exact readings; "
                "declare a sensor model of the task instead"
            )


def gravity_of(engine: Engine, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the acceleration of gravity in the worlds `ids`, [n, 3], or [1, 3] where they do not differ in it."""
    if engine.model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_GRAVITY.value:
        return np.zeros((1, 3))
    return own_or_shared(engine, "opt.gravity", ids)
