"""What sensors read: their docstrings, and the numbers that a task gives them."""

import dataclasses
import inspect
import math
import re
from collections.abc import Iterable

from robossl.envs.sensors import Lidar, Sensor

_NUM_PARAGRAPHS = 2  # of a docstring: what it reads, and how; the rest is for those who declare one


def meaning(kind: type[Sensor]) -> str:
    """Says what sensors of a kind read, and what their numbers are."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:")[0]
    read = " ".join(" ".join(part.split()) for part in text.split("\n\n")[:_NUM_PARAGRAPHS])
    told = [f"`{name}`: {text.removesuffix('.')}" for name, text in attributes(kind).items() if name != "record"]
    return " ".join([read, *([f"{'; '.join(told)}."] if told else [])])


def attributes(kind: type) -> dict[str, str]:
    """Returns what a docstring says of its class's attributes."""
    text = (kind.__doc__ or "").partition("Attributes:")[2]
    entries = re.findall(r"^ {8}(\S[^:\n]*): (.*(?:\n {10,}\S.*)*)", text, flags=re.MULTILINE)
    return {name.strip(): " ".join(line.split()) for names, line in entries for name in names.split(",")}


def numbers(sensor: Sensor) -> str:
    """Tells a sensor's kind and numbers, and where the beams of a lidar point."""
    told = {field.name: getattr(sensor, field.name) for field in dataclasses.fields(sensor)}  # type: ignore[arg-type]
    values = [f"{name} {plain(value)}" for name, value in told.items() if not isinstance(value, tuple)]
    if isinstance(sensor, Lidar):
        values += _beams(sensor)
    return type(sensor).__name__ + (f" ({', '.join(values)})" if values else "")


def plain(value: object) -> str:
    """Writes a value; floats without more digits than they need."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def kinds(sensors: Iterable[Sensor]) -> list[type[Sensor]]:
    """Returns the kinds among sensors, each once."""
    return list(dict.fromkeys(type(sensor) for sensor in sensors))


def _beams(lidar: Lidar) -> list[str]:
    first = ", ".join(f"{value + 0.0:g}" for value in lidar.directions()[0].round(3))
    is_circle = lidar.fov_rad >= 2 * math.pi
    spacing = lidar.fov_rad / max(1, lidar.num_beams if is_circle else lidar.num_beams - 1)
    return [f"beam 0 along ({first}), each next one {math.degrees(spacing):.3g}° to the left"]
