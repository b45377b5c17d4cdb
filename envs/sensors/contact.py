"""What a robot feels when it touches something. Nothing between two decisions is missed: every substep counts."""

from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, UserError
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.sensors.load import add_motion, load_beyond
from robossl.envs.sensors.sensor import (
    Memory,
    Sensor,
    gravity_of,
    known_columns,
    require_unaltered,
    sensor_columns,
    site_columns,
)

_CONTACT = mujoco.mjtSensor.mjSENS_CONTACT.value
_FOUND = 1 << mujoco.mjtConDataField.mjCONDATA_FOUND.value
_WRENCH = ("force_x_n", "force_y_n", "force_z_n", "torque_x_n_m", "torque_y_n_m", "torque_z_n_m")
_MOTION = ("framelinvel", "frameangvel", "framelinacc", "frameangacc", "framequat")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceTorque(Sensor):
    """Reads [num_substeps, 6]: force and torque at a site in every substep, in the site's frame as the substep begins.

    They act on what is beyond the site and come from the body that carries it. What accelerates the load is told of the
    motion, by the change of velocity in each substep: MuJoCo's own sensors tell what explicit integration would have
    made of the forces, under stiff servos far more. What touches the load is what acted on it in that substep. The load
    is the site's body and all that it carries, where it is in the model at first. At an episode's start, before
    anything has moved, nothing accelerates.

    What `gravcomp` takes off, a robot's motors hold through its joints: the site carries the whole weight all the same,
    as MuJoCo's force sensor tells it and a real wrist's does.

    The model needs `<force>`, `<torque>`, `<framelinvel>`, `<frameangvel>`, `<framelinacc>`, `<frameangacc>` and
    `<framequat>` at the site, which belongs to the body beyond.
    """

    site: str
    record: ClassVar[tuple[str, ...]] = ("sensordata",)

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        require_unaltered(model, self.columns(model))
        return ArraySpec(shape=(num_substeps, 6), names=_WRENCH, units=(*3 * ("N",), *3 * ("N m",)))

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        data, model = recorded["sensordata"][ids].astype(np.float64), engine.model
        force, torque, *motion = known_columns(model, self)
        told = data[:, 1:] if engine.feels_late else data[:, :-1]
        wrench = np.concatenate([told[..., force], told[..., torque]], axis=2)
        first, load = np.array([columns.start for columns in motion]), load_beyond(engine, self.site, ids)
        add_motion(wrench, told, data, first, model.opt.timestep, gravity_of(engine, ids), *load)
        return wrench.astype(np.float32)

    def columns(self, model: Any) -> list[slice]:
        """See `Sensor.columns`."""
        return [site_columns(model, kind, self.site) for kind in ("force", "torque", *_MOTION)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch(Sensor):
    """Reads [1]: the greatest normal force within a site's volume at any substep; the model needs `<touch>` there."""

    site: str
    record: ClassVar[tuple[str, ...]] = ("sensordata",)

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        self.columns(model)
        return ArraySpec(shape=(1,), low=0, names=("touch_n",), units=("N",))

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        (columns,) = known_columns(engine.model, self)
        return engine.xp.max(recorded["sensordata"][ids, 1:][..., columns], axis=1)

    def columns(self, model: Any) -> list[slice]:
        """See `Sensor.columns`."""
        return [site_columns(model, "touch", self.site)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFlags(Sensor):
    """Reads [K] of 0 and 1: whether each MJCF `<contact ... data="found"/>` sensor found a contact at any substep."""

    sensors: tuple[str, ...]
    record: ClassVar[tuple[str, ...]] = ("sensordata",)

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        for name in self.sensors:
            index = element_id(model, "sensor", name)
            if model.sensor_type[index] != _CONTACT or not model.sensor_intprm[index, 0] & _FOUND:
                raise UserError(
                    f'the MJCF\'s sensor {name!r} is no <contact ... data="found"/>: it tells of no contacts'
                )
        return ArraySpec(
            shape=(len(self.sensors),), low=0, high=1, names=self.sensors, units=len(self.sensors) * ("1",)
        )

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        xp = engine.xp
        first = [columns.start for columns in self.columns(engine.model)]
        return xp.astype(xp.any(recorded["sensordata"][ids, 1:][..., first] > 0, axis=1), xp.float32)

    def columns(self, model: Any) -> list[slice]:
        """See `Sensor.columns`."""
        return [sensor_columns(model, name) for name in self.sensors]
