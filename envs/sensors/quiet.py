"""MJCF sensors cost a physics step up to a tenth of its time: those that nobody looks at are switched off.

Contact sensors stay on: they are cheap, and what tasks themselves look at.
"""

from collections.abc import Iterable
from typing import Any

import mujoco
import numpy as np

from robossl.envs.sensors.sensor import Sensor

_NOTHING, _FIRST_STAGE = mujoco.mjtSensor.mjSENS_USER.value, mujoco.mjtStage.mjSTAGE_POS.value


def switch_off_unused(model: Any, observed: Iterable[Sensor]) -> None:
    """Makes a model's MJCF sensors that none of the `observed` reads read nothing; all keep their columns."""
    needed = [part.start for sensor in observed for part in sensor.columns(model)]
    unused = ~np.isin(model.sensor_adr, needed) & (model.sensor_type != mujoco.mjtSensor.mjSENS_CONTACT.value)
    model.sensor_type[unused] = _NOTHING
    model.sensor_needstage[unused] = _FIRST_STAGE
    model.sensor_delay[unused] = model.sensor_interval[unused] = 0.0  # of nothing there are no late readings:
    model.sensor_history[unused], model.sensor_historyadr[unused] = 0, -1  # MuJoCo raises an error
