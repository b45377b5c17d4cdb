"""The free way of a base, ahead and behind, in the corridor that it sweeps: from a laser scan, or a depth picture.

It is told for the base's heading as it is, and for those that it may have turned to a moment later. What is not seen is
not free. Of several sensors that look one way, the one that sees the nearest thing counts.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.limits import ObstacleLimit
from robossl.deploy.topics import DepthView, ScanInput
from robossl.deploy.trips import RefusedMessageError, Trip

HEADING_STEP_RAD = np.radians(5.0)
"""The corridor of a small base is wider than what lies between two headings, up to a metre and more."""
HEADINGS_RAD = HEADING_STEP_RAD * np.arange(-12, 13)
"""K headings, to the left positive, for which ways are told; a base that turns faster looks no farther."""
STRAIGHT = len(HEADINGS_RAD) // 2
Ways = NDArray[np.float64]
"""[2, K] free way ahead and behind, in m, by heading; inf where nothing is in the way, NaN where nothing is known."""
_LOOKING = 0.9
"""Cosine of the angle within which a ray looks ahead or behind."""
_MOST_FAILED = 0.5
"""Share of a scan's rays that may fail, of all and of those that look ahead or behind."""
MAX_PIXELS = 2_100_000
"""Of a depth picture that is looked at, full HD and a little: bounds the memory that a message can ask for."""


def scan_clearance(message: Any, source: ScanInput, obstacle: ObstacleLimit) -> Ways:
    """Returns the free ways from a `sensor_msgs/LaserScan`.

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
    looked = [_scan_ways(ranges, angle - heading, failed, source.min_rays, obstacle) for heading in HEADINGS_RAD]
    return np.array(looked).T


def depth_clearance(picture: NDArray[np.float32], view: DepthView, obstacle: ObstacleLimit) -> Ways:
    """Returns the free ways ahead from a depth picture [H, W, 1]: distances along the optical axis in m.

    By REP 118, -inf is too near, +inf farther than can be measured, and NaN unknown. Beyond `far_m` nothing is known,
    nor is it behind, nor at headings whose corridor the picture does not show in its whole width.

    Raises:
        RefusedMessageError: if the picture is too large, or does not show the corridor as it is in its whole width.
    """
    if picture.size > MAX_PIXELS:
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"a depth picture of {picture.size} pixels")
    rays = _Rays.of(picture.shape[0], picture.shape[1], view, obstacle.half_width_m)
    depth_m = picture[..., 0][rays.looking]
    too_near, failed = np.isneginf(depth_m), np.isnan(depth_m) | (np.isfinite(depth_m) & (depth_m <= 0))
    far_m = min(view.far_m, obstacle.front_m) if failed[rays.straight].mean() > view.max_failed else view.far_m
    height = view.height_m - rays.down * np.where(np.isfinite(depth_m), depth_m, 0.0)
    hit = np.isfinite(depth_m) & ~failed & (view.low_m <= height) & (height <= view.high_m)
    x = view.forward_m + rays.ahead[hit] * depth_m[hit]
    left = view.left_m - rays.right[hit] * depth_m[hit]
    at_lens = np.full(int(too_near[rays.straight].sum()), view.forward_m)
    ways = np.full((2, len(HEADINGS_RAD)), np.nan)
    for k in np.flatnonzero(rays.shown):
        cos, sin = np.cos(HEADINGS_RAD[k]), np.sin(HEADINGS_RAD[k])
        ahead = cos * x + sin * left
        inside = (np.abs(cos * left - sin * x) <= obstacle.half_width_m) & (ahead > 0)
        found = np.concatenate([ahead[inside], at_lens])
        enough = found.size >= view.min_pixels
        nearest = np.partition(found, view.min_pixels - 1)[view.min_pixels - 1] if enough else np.inf
        ways[0, k] = min(far_m, nearest) - obstacle.front_m
    return ways


def _scan_ways(
    ranges: NDArray[np.float64],
    angle: NDArray[np.float64],
    failed: NDArray[np.bool_],
    min_rays: int,
    obstacle: ObstacleLimit,
) -> tuple[float, float]:
    """Returns the free way ahead and behind; angles [R] count from the heading."""
    cos = np.cos(angle)
    with np.errstate(invalid="ignore"):
        x, y = ranges * cos, ranges * np.sin(angle)
    inside = ~failed & (np.abs(y) <= obstacle.half_width_m)
    ahead = x[inside & (cos > 0)].min(initial=np.inf) - obstacle.front_m
    behind = (-x[inside & (cos < 0)]).min(initial=np.inf) - obstacle.rear_m
    # Where no ray looks, nothing is known of the way.
    ahead, behind = (
        way if _is_seen(side > _LOOKING, failed, min_rays) else min(way, 0.0)
        for way, side in ((ahead, cos), (behind, -cos))
    )
    return float(ahead), float(behind)


def _is_seen(looking: NDArray[np.bool_], failed: NDArray[np.bool_], min_rays: int) -> bool:
    """Tells whether enough rays of those that look one way say something."""
    num_valid = int((looking & ~failed).sum())
    return num_valid >= min_rays and failed[looking].mean() <= _MOST_FAILED


class _Rays:
    """Which pixels of a picture look at what may be in the way, and how far each goes ahead, right and down per m.

    Attributes:
        looking: [H, W] at the heights and distances that count, L pixels.
        straight: [L] those that look into the corridor of the heading as it is.
        shown: [K] the headings whose corridor is in the picture in its whole width.

    Raises:
        RefusedMessageError: see `depth_clearance`.
    """

    def __init__(self, rows: int, columns: int, view: DepthView, half_width_m: float) -> None:
        tangent = np.tan(view.fov_y_rad / 2)
        down = (2 * (np.arange(rows) + 0.5) / rows - 1) * tangent
        right = (2 * (np.arange(columns) + 0.5) - columns) / rows * tangent
        cos, sin = np.cos(view.pitch_rad), np.sin(view.pitch_rad)
        wide = columns / rows * tangent / cos  # per m ahead
        self.shown = self._shown(wide, view, half_width_m)
        if not self.shown[STRAIGHT]:
            widest = wide * (view.far_m - view.forward_m)
            raise RefusedMessageError(
                Trip.MALFORMED_INPUT, f"a picture that shows {widest:.2g} m to each side at {view.far_m} m, not the way"
            )
        ahead, sink = cos - down * sin, sin + down * cos
        shape = (rows, columns)
        near = _span(view.height_m, sink, view.low_m, view.high_m)
        near = _both(near, _span(-view.forward_m, ahead, -view.far_m, -view.forward_m))[:, :, None]
        into = _both(near, _span(view.left_m, right, -half_width_m, half_width_m)[:, None, :])
        self.looking = np.broadcast_to(near[0] <= near[1], shape)
        self.straight = (into[0] <= into[1])[self.looking]
        if not self.straight.any():
            raise RefusedMessageError(Trip.MALFORMED_INPUT, "a picture no pixel of which looks at the way")
        parts = (ahead[:, None], right[None], sink[:, None])
        self.ahead, self.right, self.down = (
            np.broadcast_to(part, shape)[self.looking].astype(np.float32) for part in parts
        )

    @staticmethod
    def _shown(wide: float, view: DepthView, half_width_m: float) -> NDArray[np.bool_]:
        """Tells [K] of each heading's corridor whether both its edges at `far_m` are in the picture."""
        cos, sin = np.cos(HEADINGS_RAD), np.sin(HEADINGS_RAD)
        edges = [(view.far_m * cos - y * sin, view.far_m * sin + y * cos) for y in (-half_width_m, half_width_m)]
        seen = [(x > view.forward_m) & (np.abs(y - view.left_m) <= wide * (x - view.forward_m)) for x, y in edges]
        return np.asarray(seen[0] & seen[1])

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
