"""Small charts drawn with Pillow: curves against limits, histograms, bands of states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Vector = NDArray[np.float64]
PAPER, INK, FAINT = (255, 255, 255), (40, 40, 44), (208, 208, 214)
BLUE, ORANGE, GREEN, RED = (31, 96, 176), (226, 132, 28), (52, 140, 76), (200, 40, 40)
_TEXT_PX, _TITLE_PX = 11, 13
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 52, 10, 20, 18
_NUM_BINS = 60


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over time; lines break at NaN."""

    x: Vector
    y: Vector
    colour: Colour
    width: int = 1


def blank(width: int, height: int) -> Image.Image:
    """Returns white paper."""
    return Image.new("RGB", (width, height), PAPER)


def write(image: Image.Image, at: tuple[int, int], text: str, *, title: bool = False, colour: Colour = INK) -> None:
    """Writes a line of text with its upper left corner at a pixel."""
    font = ImageFont.load_default(_TITLE_PX if title else _TEXT_PX)
    ImageDraw.Draw(image).text(at, text, fill=colour, font=font)


def curves(
    size: tuple[int, int],
    title: str,
    lines: Sequence[Curve],
    *,
    x_range: tuple[float, float],
    y_range: tuple[float, float] | None,
    limits: Sequence[float] = (),
    marks: Sequence[float] = (),
) -> Image.Image:
    """Draws curves.

    Args:
        size: (width, height) in pixels.
        title: stands above.
        lines: the curves.
        x_range: what of x is shown.
        y_range: likewise of y, widened by what the curves need; what they need alone where None.
        limits: horizontal lines, where they are inside.
        marks: vertical lines.
    """
    image = blank(*size)
    low, high = _widened(y_range, lines, x_range)
    frame = _Frame(size, x_range, (low, high))
    pen = ImageDraw.Draw(image)
    frame.draw(pen, image, title)
    for limit in (limit for limit in limits if low <= limit <= high):
        y = frame.row(limit)
        pen.line([(frame.left, y), (frame.right, y)], fill=RED, width=1)
    for mark in marks:
        if x_range[0] <= mark <= x_range[1]:
            x = frame.column(mark)
            pen.line([(x, frame.top), (x, frame.bottom)], fill=RED, width=2)
    for line in lines:
        for part in _parts(line, x_range):
            points = [(frame.column(x), frame.row(y)) for x, y in part]
            pen.line(points if len(points) > 1 else [*points, *points], fill=line.colour, width=line.width)
    return image


def histogram(size: tuple[int, int], title: str, values: Vector, marks: Mapping[str, float], unit: str) -> Image.Image:
    """Draws how often each value came, up to a little beyond the greatest mark; what lies beyond is in the last bin."""
    image = blank(*size)
    most = 1.3 * max(marks.values(), default=1.0) or 1.0
    counts, edges = np.histogram(np.minimum(values, most), bins=_NUM_BINS, range=(0.0, most))
    frame = _Frame(size, (0.0, most), (0.0, float(max(counts.max(initial=0), 1))))
    pen = ImageDraw.Draw(image)
    frame.draw(pen, image, f"{title} [{unit}], {len(values)} values")
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            pen.rectangle([frame.column(left), frame.row(count), frame.column(right), frame.bottom], fill=BLUE)
    for i, (name, value) in enumerate(marks.items()):
        x = frame.column(value)
        pen.line([(x, frame.top), (x, frame.bottom)], fill=RED)
        write(image, (min(x + 3, frame.right - 70), frame.top + 12 * i), f"{name} {value:.3g}", colour=RED)
    return image


def bands(
    size: tuple[int, int], title: str, x: Vector, names: Sequence[str], colours: Mapping[str, Colour]
) -> Image.Image:
    """Draws which of some states it was in, over time, with a legend."""
    image = blank(*size)
    frame = _Frame(size, (float(x[0]), float(x[-1])), (0.0, 1.0), ticks=False)
    pen = ImageDraw.Draw(image)
    frame.draw(pen, image, title)
    for begin, name, end in zip(x[:-1], names[:-1], x[1:], strict=True):
        pen.rectangle([frame.column(begin), frame.top, frame.column(end), frame.bottom], fill=colours[name])
    left = frame.left + 140
    for name in dict.fromkeys(names):
        pen.rectangle([left, 4, left + 10, 14], fill=colours[name])
        write(image, (left + 14, 2), name)
        left += 70
    return image


class _Frame:
    """The axes of a chart: from values to pixels."""

    def __init__(
        self, size: tuple[int, int], x: tuple[float, float], y: tuple[float, float], *, ticks: bool = True
    ) -> None:
        self.left, self.top = _LEFT_PX, _TOP_PX
        self.right, self.bottom = size[0] - _RIGHT_PX, size[1] - _BOTTOM_PX
        self._x, self._y, self._ticks = (x[0], x[1] if x[1] > x[0] else x[0] + 1.0), y, ticks

    def column(self, x: float) -> int:
        share = (x - self._x[0]) / (self._x[1] - self._x[0])
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left))

    def row(self, y: float) -> int:
        share = (y - self._y[0]) / (self._y[1] - self._y[0])
        return round(self.bottom - min(max(share, 0.0), 1.0) * (self.bottom - self.top))

    def draw(self, pen: ImageDraw.ImageDraw, image: Image.Image, title: str) -> None:
        pen.rectangle([self.left, self.top, self.right, self.bottom], outline=FAINT)
        write(image, (self.left, 2), title)
        for x in np.linspace(*self._x, 5):
            write(image, (min(self.column(float(x)) - 8, self.right - 18), self.bottom + 3), f"{x:.3g}")
        for y in self._y if self._ticks else ():
            write(image, (2, self.row(y) - 6), f"{y:.3g}")


def _widened(
    y_range: tuple[float, float] | None, lines: Sequence[Curve], x_range: tuple[float, float]
) -> tuple[float, float]:
    shown = [line.y[(line.x >= x_range[0]) & (line.x <= x_range[1])] for line in lines]
    every = np.concatenate([np.array(y_range or (), np.float64), *shown])
    finite = every[np.isfinite(every)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.01
    return low - margin, high + margin


def _parts(line: Curve, x_range: tuple[float, float]) -> list[list[tuple[float, float]]]:
    """Cuts a curve at its gaps."""
    parts: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True):
        if not x_range[0] <= x <= x_range[1]:
            continue
        if np.isfinite(y):
            parts[-1].append((x, y))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]
