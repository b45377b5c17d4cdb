"""What a policy sees of a laser scan: few beams at fixed directions, as the simulated scanner has them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.topics import ScanBeams
from robossl.deploy.trips import RefusedMessageError, Trip


def beam_names(beams: ScanBeams) -> tuple[str, ...]:
    """Returns the names of the distances, anticlockwise; the first beam looks behind, the middle one ahead."""
    return tuple(f"range_{index}_m" for index in range(beams.num))


def beam_values(message: Any, beams: ScanBeams) -> dict[str, float]:
    """Reads the beams' distances (m) from a `sensor_msgs/LaserScan`.

    Each is that of the ray nearest in direction that did not fail, half a beam's spacing away at most. Rays without an
    echo (+inf) and beyond the greatest distance count as that, those nearer than the least one (-inf too) as that.

    Raises:
        RefusedMessageError: if no ray looks where a beam does.
    """
    ranges = np.asarray(message.ranges, np.float64)
    angle = message.angle_min + message.angle_increment * np.arange(ranges.size)
    angle, ranges = angle[~np.isnan(ranges)], ranges[~np.isnan(ranges)]
    spacing = 2 * np.pi / beams.num
    wanted = spacing * np.arange(beams.num) - np.pi
    order = np.argsort(np.mod(angle, 2 * np.pi), kind="stable")
    nearest = order[_nearest(np.mod(angle, 2 * np.pi)[order], np.mod(wanted, 2 * np.pi))] if order.size else order
    away = np.abs(np.mod(angle[nearest] - wanted[: nearest.size] + np.pi, 2 * np.pi) - np.pi)
    if nearest.size < beams.num or not (away <= spacing / 2 + 1e-6).all():
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"a scan in which no ray looks where one of {beams.num} does")
    distance = np.clip(ranges[nearest], beams.min_m, beams.max_m)
    return dict(zip(beam_names(beams), distance.tolist(), strict=True))


def _nearest(sorted_angle: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the indices of the angles nearest to those wanted, all in [0, 2 pi), round the circle."""
    size = sorted_angle.size
    after = np.searchsorted(sorted_angle, wanted) % size
    before = (after - 1) % size
    gaps = [np.abs(np.mod(sorted_angle[index] - wanted + np.pi, 2 * np.pi) - np.pi) for index in (before, after)]
    return np.where(gaps[0] <= gaps[1], before, after)
