"""MJCF sensors cost a physics step up to a tenth of its time: those that nobody looks at are switched off.

What a task looks at it says; of one that does not, all stay on, as it would see zeros. Contact sensors always do: they
are cheap.
"""

from collections.abc import Iterable
from typing import Any

import mujoco
import numpy as np

from robossl.envs.sensors.sensor import Sensor, sensor_columns

_NOTHING, _FIRST_STAGE = mujoco.mjtSensor.mjSENS_USER.value, mujoco.mjtStage.mjSTAGE_POS.value


def switch_off_unused(model: Any, observed: Iterable[Sensor], own: Iterable[str] | None = ()) -> None:
    """Makes MJCF sensors that nobody looks at read nothing; all keep their columns.

    Args:
        model: whose sensors.
        observed: sensors that somebody looks at.
        own: `TaskSpec.mjcf_sensors`.

    Raises:
        UnknownNameError: if the model has no sensor of a name.
    """
    if own is None:
        return
    needed = [part.start for sensor in observed for part in sensor.columns(model)]
    needed += [sensor_columns(model, name).start for name in own]
    unused = ~np.isin(model.sensor_adr, needed) & (model.sensor_type != mujoco.mjtSensor.mjSENS_CONTACT.value)
    model.sensor_type[unused] = _NOTHING
    model.sensor_needstage[unused] = _FIRST_STAGE
    model.sensor_delay[unused] = model.sensor_interval[unused] = 0.0  # of nothing there are no late readings:
    model.sensor_history[unused], model.sensor_historyadr[unused] = 0, -1  # MuJoCo raises an error
