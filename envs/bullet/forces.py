"""Sensors of acceleration and force: MuJoCo's formulas, on how Bullet moved a world and pressed its bodies together.

An acceleration is the change of velocity that a substep of Bullet's brought, over its length; the force between two
bodies is what makes everything beyond it accelerate so under gravity, pushes and the contact forces that Bullet
reports. Friction that only turns (torsional, rolling) is not reported, and missing in torques. MuJoCo's own sensors
tell of the acceleration before its implicit step is damped: under a stiff servo that starts, half as much again.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.quaternion import cross

Floats = NDArray[np.float64]

_TYPES = ("ACCELEROMETER", "FORCE", "TORQUE", "FRAMELINACC", "FRAMEANGACC")
MOTION_SENSORS = tuple(int(getattr(mujoco.mjtSensor, f"mjSENS_{name}").value) for name in _TYPES)
TOUCH_SENSOR = int(mujoco.mjtSensor.mjSENS_TOUCH.value)
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value


@dataclass(frozen=True, slots=True)
class Press:
    """A contact that Bullet has solved.

    Attributes:
        geoms: that touch.
        pos_w: where.
        normal_w: unit vector from the second to the first.
        normal_n: how hard they press.
        force_w: on the first geom, friction included.
    """

    geoms: tuple[int, int]
    pos_w: Floats
    normal_w: Floats
    normal_n: float
    force_w: Floats


class ForceSensors:
    """Reads the sensors of acceleration and force of a model.

    Attributes:
        columns: of `sensordata` that it fills, C of them.
    """

    def __init__(self, model: Any) -> None:
        self._data = mujoco.MjData(model)
        self._bodies = model.geom_bodyid
        spans = [
            _columns(model, index) for index in np.flatnonzero(np.isin(model.sensor_type, MOTION_SENSORS)).tolist()
        ]
        self._motion = np.concatenate([np.zeros(0, np.int64), *spans])
        self._touches = np.flatnonzero(model.sensor_type == TOUCH_SENSOR).tolist()
        self.columns = np.concatenate([self._motion, model.sensor_adr[self._touches]]).astype(np.int64)

    def read(self, model: Any, state: Floats, qacc: Floats, presses: list[Press]) -> Floats:
        """Returns the values [C] in a world.

        Args:
            model: with the world's own values.
            state: [S] as the substep began.
            qacc: [nv] that it brought.
            presses: its contacts.
        """
        data = self._data
        mujoco.mj_setState(model, data, state, _STATE)
        mujoco.mj_fwdPosition(model, data)
        mujoco.mj_fwdVelocity(model, data)
        data.qacc[:] = qacc
        for press in presses:
            for geom, force_w in zip(press.geoms, (press.force_w, -press.force_w), strict=True):
                body = self._bodies[geom]
                data.xfrc_applied[body, :3] += force_w
                data.xfrc_applied[body, 3:] += cross(press.pos_w - data.xipos[body], force_w)
        mujoco.mj_rnePostConstraint(model, data)  # MuJoCo itself takes that of an earlier state for this one's
        mujoco.mj_sensorAcc(model, data)
        touched = [self._touch(model, index, presses) for index in self._touches]
        return np.concatenate([data.sensordata[self._motion], touched])

    def _touch(self, model: Any, sensor: int, presses: list[Press]) -> float:
        """Returns the sum of the normal forces on a site's body whose line outwards meets the site's volume."""
        site = model.sensor_objid[sensor]
        body, total = model.site_bodyid[site], 0.0
        for press in presses:
            for geom, outwards_w in zip(press.geoms, (-press.normal_w, press.normal_w), strict=True):
                if self._bodies[geom] == body and press.normal_n > 0 and self._meets(model, site, press, outwards_w):
                    total += press.normal_n
        cutoff = float(model.sensor_cutoff[sensor])
        return min(total, cutoff) if cutoff > 0 else total

    def _meets(self, model: Any, site: int, press: Press, outwards_w: Floats) -> bool:
        data = self._data
        place = data.site_xpos[site], data.site_xmat[site], model.site_size[site]
        kind = int(model.site_type[site])
        return bool(mujoco.mju_rayGeom(*place, press.pos_w, outwards_w, kind, None) >= 0)


def _columns(model: Any, sensor: int) -> NDArray[np.int64]:
    first = int(model.sensor_adr[sensor])
    return np.arange(first, first + int(model.sensor_dim[sensor]))
