"""Names with a number in them, such as those of joints: runs of them are told as one, "joint1..7"."""

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"(\D*)(\d+)(.*)", flags=re.DOTALL)


def listed(names: Sequence[str]) -> list[str]:
    """Lists names, numbered ones together."""
    return [name for _, _, name in runs(names)]


def runs(names: Sequence[str]) -> list[tuple[int, int, str]]:
    """Returns where each run of names begins and ends, and what it is called."""
    starts = [i for i, name in enumerate(names) if i == 0 or not _follows(names[i - 1], name)]
    ends = [*(start - 1 for start in starts[1:]), len(names) - 1]
    return [(first, last, _joined(names[first], names[last])) for first, last in zip(starts, ends, strict=False)]


def _follows(name: str, following: str) -> bool:
    """Tells whether two names differ in their first number alone, by one."""
    one, other = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(following)
    if one is None or other is None:
        return False
    return (one[1], int(one[2]) + 1, one[3]) == (other[1], int(other[2]), other[3])


def _joined(first: str, last: str) -> str:
    begin, end = _NUMBERED.fullmatch(first), _NUMBERED.fullmatch(last)
    return first if first == last or begin is None or end is None else f"{begin[1]}{begin[2]}..{end[2]}{begin[3]}"
