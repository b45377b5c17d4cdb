"""MJCF sensors cost a physics step up to a tenth of its time: those that nobody looks at are switched off."""

from collections.abc import Collection
from typing import Any

import mujoco
import numpy as np

from robossl.envs.sensors.sensor import Sensor

_NOTHING, _FIRST_STAGE = mujoco.mjtSensor.mjSENS_USER.value, mujoco.mjtStage.mjSTAGE_POS.value


def switch_off_unused(model: Any, sensors: dict[str, Sensor], keys: Collection[str]) -> None:
    """Makes the MJCF sensors that only sensors beside `keys` need read nothing; the columns of the others stay."""
    columns: dict[bool, set[int]] = {True: set(), False: set()}
    for key, sensor in sensors.items():
        columns[key in keys] |= {column for part in sensor.columns(model) for column in range(part.start, part.stop)}
    unused = np.isin(model.sensor_adr, list(columns[False] - columns[True]))
    unused &= model.sensor_type != mujoco.mjtSensor.mjSENS_CONTACT.value  # cheap, and what tasks themselves look at
    model.sensor_type[unused] = _NOTHING
    model.sensor_needstage[unused] = _FIRST_STAGE
