"""Links of the documentation lead somewhere, and README's list of pages is whole. Needs nothing installed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "assets", "packaging")
PAGES = [*sorted(ROOT.glob("*.md")), *(page for folder in FOLDERS for page in sorted((ROOT / folder).rglob("*.md")))]


def text_of(page: Path) -> str:
    """Returns a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Returns what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link} is not there"
        assert not anchor or anchor in anchors(target), f"{path or page.name} has no heading #{anchor}"


def test_the_readme_lists_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/\w+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}


def test_every_picture_is_shown() -> None:
    shown = {link for page in PAGES for link in re.findall(r"images/(\w+\.\w+)\)", page.read_text())}
    assert shown == {picture.name for picture in (ROOT / "docs" / "images").iterdir()}


def test_scenes_tell_the_seeds_that_their_pictures_are_drawn_with() -> None:
    drawn = re.findall(r"\b(\w+):(\w+):(\d+)\b", (ROOT / "Makefile").read_text())
    assert drawn
    for task, folder, seed in drawn:
        command = f"`robossl envs show robossl/{task}-v0{f' --seed {seed}' if seed != '0' else ''}`"
        assert command in (ROOT / "assets" / folder / "README.md").read_text(), f"{folder}: {command} is not told"
