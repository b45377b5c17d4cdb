"""One picture of a bridge's run: states, latencies, commands against limits, and every trip with what was seen then."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robossl.rehearsal.bridge_log import Axis, BridgeLog, LoggedTrip
from robossl.rehearsal.charts import BLUE, GREEN, ORANGE, RED, Curve, bands, blank, curves, histogram, write

_WIDTH_PX, _ROW_PX, _GAP_PX = 1200, 130, 6
_AROUND_S = 1.5
_PICTURE_PX = 220
_MOST_TRIPS = 12
_QUANTILES = (50, 95, 99)
_COLOURS = {
    "wait": (222, 222, 226),
    "ready": (180, 205, 235),
    "armed": (120, 170, 225),
    "run": (110, 180, 120),
    "hold": (240, 205, 120),
    "fault": (222, 110, 100),
}


def draw_report(log: BridgeLog) -> NDArray[np.uint8]:
    """Draws a run; returns a picture [H, W, 3]."""
    rows = [_head(log), _states(log), _latencies(log)]
    rows += [_axis(log, i) for i in range(len(log.axes))]
    rows += [_trip(log, trip) for trip in log.trips[:_MOST_TRIPS]]
    sheet = blank(_WIDTH_PX, sum(row.height + _GAP_PX for row in rows))
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + _GAP_PX
    return np.asarray(sheet)


def quantiles_ms(log: BridgeLog) -> dict[str, dict[str, float]]:
    """Returns p50, p95 and p99 of each leg, in ms."""
    return {
        leg: {f"p{q}": float(np.nanpercentile(seconds, q)) * 1e3 for q in _QUANTILES}
        for leg, seconds in log.took_s.items()
        if np.isfinite(seconds).any()
    }


def limit_shares(log: BridgeLog) -> dict[str, float]:
    """Returns the greatest share of its rate's limit that each axis was sent; 0 where nothing was."""
    greatest = log.shares().max(axis=0, initial=0.0)
    return {axis.name: float(share) for axis, share in zip(log.axes, greatest, strict=True)}


def _head(log: BridgeLog) -> Image.Image:
    image = blank(_WIDTH_PX, 64)
    seconds = float(log.t_s[-1]) if len(log.t_s) else 0.0
    write(image, (10, 6), f"{log.name}: profile {log.profile}, {log.mode}, speed {log.speed:g}", title=True)
    commands = int(np.isfinite(log.sent).all(axis=1).sum())
    trips = "1 trip" if len(log.trips) == 1 else f"{len(log.trips)} trips"
    trips += f", {_MOST_TRIPS} shown" if len(log.trips) > _MOST_TRIPS else ""
    what = "sent" if log.mode == "live" else "decided, none sent"
    periods = f"{seconds:.1f} s, {len(log.t_s)} periods of {log.period_s * 1e3:.3g} ms"
    write(image, (10, 26), f"{periods}, {commands} commands {what}, {trips}")
    for left, colour, text in (
        (10, BLUE, "let through by the guard"),
        (190, ORANGE, "wanted by the policy"),
        (350, GREEN, "measured"),
        (450, RED, "limits and trips"),
    ):
        write(image, (left, 46), f"-- {text}", colour=colour)
    return image


def _states(log: BridgeLog) -> Image.Image:
    if len(log.t_s) < 2:
        return blank(_WIDTH_PX, 1)
    return bands((_WIDTH_PX, 62), "state over time [s]", log.t_s, log.states, _COLOURS)


def _latencies(log: BridgeLog) -> Image.Image:
    quantiles = quantiles_ms(log)
    row, width = blank(_WIDTH_PX, _ROW_PX), _WIDTH_PX // max(len(quantiles), 1)
    for i, (leg, figures) in enumerate(quantiles.items()):
        values = log.took_s[leg][np.isfinite(log.took_s[leg])] * 1e3
        row.paste(histogram((width, _ROW_PX), leg, values, figures, "ms"), (i * width, 0))
    return row


def _axis(log: BridgeLog, i: int) -> Image.Image:
    """Draws one axis: its command, and the command's first and second derivative, against their limits."""
    axis, (rate, change) = log.axes[i], log.rates()
    x_range = (0.0, float(log.t_s[-1]) if len(log.t_s) else 1.0)
    width, marks = _WIDTH_PX // 3, [trip.t_s for trip in log.trips]
    row = blank(_WIDTH_PX, _ROW_PX)
    row.paste(_command(log, i, x_range, (width, _ROW_PX)), (0, 0))
    parts = zip((rate, change), (axis.rate, axis.change), axis.derivatives, strict=True)
    for k, (values, limit, what) in enumerate(parts, start=1):
        title = f"{axis.name}: {what}"
        lines = [Curve(log.t_s, values[:, i], BLUE)]
        shown = {"x_range": x_range, "y_range": (-limit, limit), "limits": (-limit, limit), "marks": marks}
        row.paste(curves((width, _ROW_PX), title, lines, **shown), (k * width, 0))  # type: ignore[arg-type]
    return row


def _command(
    log: BridgeLog, i: int, x_range: tuple[float, float], size: tuple[int, int], *, near: bool = False
) -> Image.Image:
    """Draws a command between its limits, or from `near`."""
    axis = log.axes[i]
    return curves(
        size,
        f"{axis.name} [{axis.unit}]",
        [Curve(log.t_s, log.wanted[:, i], ORANGE), *_measured(log, axis), Curve(log.t_s, log.sent[:, i], BLUE, 2)],
        x_range=x_range,
        y_range=None if near else (axis.low, axis.high),
        limits=(axis.low, axis.high),
        marks=[trip.t_s for trip in log.trips],
    )


def _measured(log: BridgeLog, axis: Axis) -> list[Curve]:
    return [Curve(*log.measured[axis.measured], GREEN)] if axis.measured in log.measured else []


def _trip(log: BridgeLog, trip: LoggedTrip) -> Image.Image:
    """Draws a trip: its name, the cameras' last pictures, and the commands around it."""
    height = _PICTURE_PX + 24
    row = blank(_WIDTH_PX, height)
    write(row, (10, 4), f"{trip.t_s:.2f} s  {trip.text}", title=True, colour=RED)
    left = 10
    for sensor, picture in list(trip.pictures.items())[:2]:
        shown = _as_colours(picture)
        row.paste(shown, (left, 24))
        write(row, (left + 4, 26), sensor, colour=RED)
        left += shown.width + _GAP_PX
    x_range = (trip.t_s - _AROUND_S, trip.t_s + _AROUND_S)
    number = max(1, min(len(log.axes), (_WIDTH_PX - left) // 300))
    for k, i in enumerate(_busiest(log, x_range)[:number]):
        width = (_WIDTH_PX - left) // number
        row.paste(_command(log, i, x_range, (width, _PICTURE_PX), near=True), (left + k * width, 24))
    return row


def _busiest(log: BridgeLog, x_range: tuple[float, float]) -> list[int]:
    """Returns the axes, those first that moved most around a trip, as shares of their range."""
    near = (log.t_s >= x_range[0]) & (log.t_s <= x_range[1])
    sent = log.sent[near & np.isfinite(log.sent).all(axis=1)]
    moved = np.ptp(sent, axis=0) if len(sent) else np.zeros(len(log.axes))
    ranges = np.array([axis.high - axis.low for axis in log.axes])
    return [int(i) for i in np.argsort(-moved / ranges, kind="stable")]


def _as_colours(picture: NDArray[np.generic]) -> Image.Image:
    """Returns colours as they are, and distances in grey, from near (light) to far."""
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8:
        finite = np.nan_to_num(pixels[..., 0].astype(np.float64), posinf=0.0, neginf=0.0)
        grey = 255 * (1 - finite / max(float(finite.max()), 1e-6))
        pixels = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = min(_PICTURE_PX / image.height, 1.5 * _PICTURE_PX / image.width)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)
