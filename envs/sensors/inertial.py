"""Inertial measurement."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec
from robossl.envs.engine import Engine
from robossl.envs.sensors.sensor import Memory, Sensor, site_columns

_NAMES = ("gyro_x_rad_s", "gyro_y_rad_s", "gyro_z_rad_s", "acc_x_m_s2", "acc_y_m_s2", "acc_z_m_s2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imu(Sensor):
    """Reads [6] in the frame of a site: angular velocity, then specific force (acceleration less gravity's).

    The model needs `<gyro>` and `<accelerometer>` at the site.
    """

    site: str

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        self.columns(model)
        return ArraySpec(shape=(6,), names=_NAMES, units=(*3 * ("rad/s",), *3 * ("m/s2",)))

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        data = engine.read("sensordata")[ids]
        return engine.xp.concat([data[:, columns] for columns in self.columns(engine.model)], axis=1)

    def columns(self, model: Any) -> list[slice]:
        """See `Sensor.columns`."""
        return [site_columns(model, kind, self.site) for kind in ("gyro", "accelerometer")]
