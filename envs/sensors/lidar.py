"""Laser range finders."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, UserError
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.fitting import fit
from robossl.envs.mujoco_fields import in_visible_group
from robossl.envs.sensors.sensor import Memory, Sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Lidar(Sensor):
    """Reads [num_beams * rings] distances from a site, ring by ring, `max_m` where nothing is that near.

    Within a ring beams turn anticlockwise about the site's z axis; the middle of the field of view is its x axis. The
    site's own body is not seen; what is nearer than `min_m` counts as that far. Where a robot has other parts that may
    be as near, such as wheels, nothing nearer than `min_m` is seen.

    Attributes:
        fov_rad: from the first to the last beam; a full circle has its last beam one spacing before the first.
        elevations_rad: of the rings, upwards.
    """

    site: str
    num_beams: int
    max_m: float
    min_m: float = 0.0
    fov_rad: float = 2 * np.pi
    elevations_rad: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        fit(self, Lidar, "a lidar's ", is_option=False)
        if not np.isfinite(self.elevations_rad).all():
            raise UserError(f"a lidar's rings need finite elevations, got {self.elevations_rad}")
        if self.num_beams < 1 or not self.elevations_rad:
            raise UserError(f"a lidar needs beams, got {self.num_beams} in {len(self.elevations_rad)} rings")
        if not 0 <= self.min_m < self.max_m or not 0 < self.fov_rad <= 2 * np.pi:
            raise UserError(f"a lidar cannot see from {self.min_m} to {self.max_m} m over {self.fov_rad} rad")

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        """See `Sensor.spec`."""
        element_id(model, "site", self.site)
        count = self.num_beams * len(self.elevations_rad)
        names = tuple(f"range_{i}_m" for i in range(count))
        return ArraySpec(shape=(count,), low=self.min_m, high=self.max_m, names=names, units=count * ("m",))

    def read(self, engine: Engine, recorded: dict[str, Array], memory: Memory, ids: NDArray[np.int64]) -> Array:
        """See `Sensor.read`."""
        site = element_id(engine.model, "site", self.site)
        pos, mat = engine.read("site_xpos")[ids, site], engine.read("site_xmat")[ids, site].reshape(-1, 3, 3)
        own_body = int(engine.model.site_bodyid[site])
        least_m = self.min_m if self.min_m and _has_more_parts(engine.model, own_body) else 0.0
        distance = engine.scan(pos, mat, self.directions(), ids, hidden_body=own_body, least_m=least_m)
        is_seen = (distance >= 0) & (distance <= self.max_m)
        return np.where(is_seen, np.maximum(distance, self.min_m), self.max_m).astype(np.float32)

    def directions(self) -> NDArray[np.float64]:
        """Returns the beams' unit vectors [num_beams * rings, 3] in the site's frame, to look at only."""
        return _directions(self.num_beams, self.fov_rad, tuple(self.elevations_rad))


def _has_more_parts(model: Any, body: int) -> bool:
    """Tells whether beams can see parts of a body's robot other than it."""
    others = (model.body_rootid[model.geom_bodyid] == model.body_rootid[body]) & (model.geom_bodyid != body)
    return bool(in_visible_group(model.geom_group[others]).any())


@cache
def _directions(num_beams: int, fov_rad: float, elevations_rad: tuple[float, ...]) -> NDArray[np.float64]:
    turns = np.linspace(-fov_rad / 2, fov_rad / 2, num_beams, endpoint=fov_rad < 2 * np.pi)
    turn, rise = (part.T.ravel() for part in np.meshgrid(turns, np.array(elevations_rad), indexing="ij"))
    directions = np.stack([np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)], axis=1)
    directions.setflags(write=False)  # all lidars with these beams share them
    return directions
