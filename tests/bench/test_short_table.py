"""The short table of docs/simulation.md repeats docs/speed.md."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def measured() -> dict[tuple[str, str], tuple[str, str]]:
    """Returns {(measure, task): (ours, ratio)}."""
    row = r"^\| `(\w+)` \| (\w+) \| ([\d,.]+) \| [\d,.]+ \| \S+ \| ([\d.]+)"
    found = re.findall(row, (DOCS / "speed.md").read_text(), flags=re.MULTILINE)
    return {(measure, task): (ours, ratio) for measure, task, ours, ratio in found}


def test_its_figures_are_those_of_the_speed_page(measured: dict[tuple[str, str], tuple[str, str]]) -> None:
    page = (DOCS / "simulation.md").read_text()
    header, _, *rows = re.search(r"^\| \| RingCorridor.*?(?=\n\n)", page, re.MULTILINE | re.DOTALL)[0].splitlines()  # type: ignore[index]
    tasks = [cell.strip() for cell in header.split("|")[2:-1]]
    rates = {"control steps": "batch_vs_bare", "frames of 64x64 a second, `raycast`": "raycast_vs_bare"}
    rates |= {"frames of 64x64 a second, `gl`": "gl_vs_bare"}
    assert len(rows) > len(rates)
    for row in rows:
        what, *figures = [cell.strip() for cell in row.split("|")[1:-1]]
        rate = next((measure for words, measure in rates.items() if what.startswith(words)), None)
        measure, column = (rate, 0) if rate else (re.findall(r"`(\w+_\w+)`", what)[-1], 1)
        assert figures == [measured[measure, task][column] for task in tasks], what
