"""Inertial measurement."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, UserError
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.sensors.sensor import Memory, Sensor, gravity_of, known_columns, require_unaltered, site_columns

_NAMES = ("gyro_x_rad_s", "gyro_y_rad_s", "gyro_z_rad_s", "acc_x_m_s2", "acc_y_m_s2", "acc_z_m_s2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imu(Sensor):
    """Reads [6] in the frame of a site: angular velocity, then specific force (acceleration less gravity's).

    The acceleration is that of the motion: the change of velocity in the last substep. MuJoCo's own accelerometer tells
    what explicit integration would have made of the forces, under a stiff servo a multiple of that. At an episode's
    start, before anything has moved, the site is taken to keep its velocity. The model needs `<gyro>` and
    `<velocimeter>` at the site.
    """

    site: str
    record: ClassVar[tuple[str, ...]] = ("sensordata",)

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        require_unaltered(model, self.columns(model))
        if num_substeps < 2:
            raise UserError(f"an IMU needs at least two physics substeps in a control step, got {num_substeps}")
        return ArraySpec(shape=(6,), names=_NAMES, units=(*3 * ("rad/s",), *3 * ("m/s2",)))

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        data = recorded["sensordata"][ids][:, -2:].astype(np.float64)
        turn, velocity = (data[..., columns] for columns in known_columns(engine.model, self))
        change = (velocity[:, 1] - velocity[:, 0]) / engine.model.opt.timestep
        turning = np.cross(turn.mean(axis=1), velocity.mean(axis=1))  # the frame turns beneath the velocity
        force = change + turning - self._gravity(engine, ids)
        return np.concatenate([turn[:, 1], force], axis=1).astype(np.float32)

    def columns(self, model: Any) -> list[slice]:
        """See `Sensor.columns`."""
        return [site_columns(model, kind, self.site) for kind in ("gyro", "velocimeter")]

    def _gravity(self, engine: Engine, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns the acceleration of gravity [n, 3] in the frame of the site."""
        gravity_w = gravity_of(engine, ids)[:, None]
        site = element_id(engine.model, "site", self.site)
        mat = np.asarray(engine.read("site_xmat")[ids, site], np.float64).reshape(-1, 3, 3)
        return (gravity_w @ mat)[:, 0]
