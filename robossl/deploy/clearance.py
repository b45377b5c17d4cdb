"""The free way of a base, ahead and behind, in the corridor that it sweeps: from a laser scan, or a depth picture.

What is not seen is not free. Of several sensors that look one way, the one that sees the nearest thing counts.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.limits import ObstacleLimit
from robossl.deploy.topics import DepthView, ScanInput
from robossl.deploy.trips import RefusedMessageError, Trip

AHEAD, BEHIND = CLEARANCE = ("clearance_ahead_m", "clearance_behind_m")
_LOOKING = 0.9
"""Cosine of the angle within which a ray looks ahead or behind."""
_MOST_FAILED = 0.5
"""Share of a scan's rays that may fail, of all and of those that look ahead or behind."""
MAX_PIXELS = 2_100_000
"""Of a depth picture that is looked at, full HD and a little: bounds the memory that a message can ask for."""


def scan_clearance(message: Any, source: ScanInput, obstacle: ObstacleLimit) -> dict[str, float]:
    """Returns the free way ahead and behind from a `sensor_msgs/LaserScan`.

    By REP 117, +inf is no echo and -inf is too near; NaN is a failed ray. Readings below the least range count as
    too near. Where more than half of the rays failed, the scan is refused; where more than half of those failed that
    look ahead or behind, or fewer than `min_rays` of them say something, that way is not free.

    Raises:
        RefusedMessageError: if it cannot be used.
    """
    with np.errstate(invalid="ignore"):  # some NaNs signal when they are widened
        ranges = np.asarray(message.ranges, np.float64)
    failed = np.isnan(ranges)
    if failed.mean() > _MOST_FAILED:
        raise RefusedMessageError(
            Trip.MALFORMED_INPUT, f"a scan of {ranges.size} rays, {int(failed.sum())} of them failed"
        )
    ranges = np.where(ranges < message.range_min, 0.0, ranges)
    angle = message.angle_min + message.angle_increment * np.arange(ranges.size)
    if not np.isfinite(angle).all():
        raise RefusedMessageError(Trip.MALFORMED_INPUT, "the scan's angles are not finite")
    with np.errstate(invalid="ignore"):
        x, y = ranges * np.cos(angle), ranges * np.sin(angle)
    inside = ~failed & (np.abs(y) <= obstacle.half_width_m)
    ahead = x[inside & (np.cos(angle) > 0)].min(initial=np.inf) - obstacle.front_m
    behind = (-x[inside & (np.cos(angle) < 0)]).min(initial=np.inf) - obstacle.rear_m
    # Where no ray looks, nothing is known of the way.
    ahead, behind = (
        way if _is_seen(side > _LOOKING, failed, source.min_rays) else min(way, 0.0)
        for way, side in ((ahead, np.cos(angle)), (behind, -np.cos(angle)))
    )
    return dict(zip(CLEARANCE, (float(ahead), float(behind)), strict=True))


def depth_clearance(picture: NDArray[np.float32], view: DepthView, obstacle: ObstacleLimit) -> dict[str, float]:
    """Returns the free way ahead from a depth picture [H, W, 1]: distances along the optical axis in m.

    By REP 118, -inf is too near, +inf farther than can be measured, and NaN unknown. Beyond `far_m` nothing is known.

    Raises:
        RefusedMessageError: if the picture is too large, or does not show the corridor in its whole width.
    """
    if picture.size > MAX_PIXELS:
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"a depth picture of {picture.size} pixels")
    rays = _Rays.of(picture.shape[0], picture.shape[1], view, obstacle.half_width_m)
    depth_m = picture[..., 0][rays.looking]
    too_near, failed = np.isneginf(depth_m), np.isnan(depth_m) | (np.isfinite(depth_m) & (depth_m <= 0))
    ahead = view.far_m
    if failed.mean() > view.max_failed:
        ahead = min(ahead, obstacle.front_m)
    with np.errstate(invalid="ignore"):  # rays without an end are compared, and found outside
        x = view.forward_m + rays.ahead * depth_m
        left = np.abs(view.left_m - rays.right * depth_m)
        height = view.height_m - rays.down * depth_m
        hit = ~failed & (left <= obstacle.half_width_m) & (view.low_m <= height) & (height <= view.high_m)
    x = np.concatenate([x[hit], np.full(int(too_near.sum()), view.forward_m)])
    if x.size >= view.min_pixels:
        ahead = min(ahead, float(np.partition(x, view.min_pixels - 1)[view.min_pixels - 1]))
    return {AHEAD: ahead - obstacle.front_m}


def nearest(known: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """Returns named numbers of two readings; of two free ways the shorter one."""
    ways = {name: min(known[name], more[name]) for name in CLEARANCE if name in known and name in more}
    return {**known, **more, **ways}


def _is_seen(looking: NDArray[np.bool_], failed: NDArray[np.bool_], min_rays: int) -> bool:
    """Tells whether enough rays of those that look one way say something."""
    num_valid = int((looking & ~failed).sum())
    return num_valid >= min_rays and failed[looking].mean() <= _MOST_FAILED


class _Rays:
    """Which pixels of a picture look into the corridor, and how far each goes ahead, right and down per m of depth.

    Raises:
        RefusedMessageError: see `depth_clearance`.
    """

    def __init__(self, rows: int, columns: int, view: DepthView, half_width_m: float) -> None:
        tangent = np.tan(view.fov_y_rad / 2)
        down = (2 * (np.arange(rows) + 0.5) / rows - 1) * tangent
        right = (2 * (np.arange(columns) + 0.5) - columns) / rows * tangent
        cos, sin = np.cos(view.pitch_rad), np.sin(view.pitch_rad)
        farthest = (view.far_m - view.forward_m) / cos
        widest = columns / rows * tangent * farthest
        if widest < half_width_m + abs(view.left_m):
            raise RefusedMessageError(
                Trip.MALFORMED_INPUT, f"a picture that shows {widest:.2g} m to each side at {view.far_m} m, not the way"
            )
        ahead, sink = cos - down * sin, sin + down * cos
        shape = (rows, columns)
        into = _span(view.left_m, right, -half_width_m, half_width_m)[:, None, :]
        into = _both(into, _span(view.height_m, sink, view.low_m, view.high_m)[:, :, None])
        into = _both(into, _span(-view.forward_m, ahead, -view.far_m, -view.forward_m)[:, :, None])
        self.looking = into[0] <= into[1]
        if not self.looking.any():
            raise RefusedMessageError(Trip.MALFORMED_INPUT, "a picture no pixel of which looks at the way")
        parts = (ahead[:, None], right[None], sink[:, None])
        self.ahead, self.right, self.down = (
            np.broadcast_to(part, shape)[self.looking].astype(np.float32) for part in parts
        )

    @staticmethod
    @lru_cache(maxsize=2)
    def of(rows: int, columns: int, view: DepthView, half_width_m: float) -> "_Rays":
        """Returns those of pictures of one size by one camera."""
        return _Rays(rows, columns, view, half_width_m)


def _span(start: float, slope: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Returns from which to which depth [2, N] start - slope * depth is within low and high."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.array([(start - high) / slope, (start - low) / slope])
    always = np.array([0.0, np.inf] if low <= start <= high else [np.inf, 0.0])[:, None]
    ends = np.where(slope == 0, always, np.sort(ends, axis=0))
    return np.maximum(ends, 0.0) if low <= start <= high else np.where(ends[1] < 0, [[np.inf], [0.0]], ends)


def _both(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack(np.broadcast_arrays(np.maximum(one[0], other[0]), np.minimum(one[1], other[1])))
