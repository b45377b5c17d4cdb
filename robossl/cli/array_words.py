"""Which element of an array is where, in a few words: runs of numbered names are told as one."""

from robossl.core import ArraySpec
from robossl.core.numbered_names import runs


def elements(array: ArraySpec) -> str:
    """Says what every element of a vector is, or every column of a series: "0-6 joint1..7_rad, 7 grip_m"."""
    told = [f"{_places(first, last)} {name}" for first, last, name in runs(array.names)]
    each = f"in each of {array.shape[0]} rows: " if told and len(array.shape) > 1 else ""
    return each + ", ".join(told)


def _places(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
