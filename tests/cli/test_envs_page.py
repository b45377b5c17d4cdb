"""docs/environments.md is written from the code."""

import re
from pathlib import Path

from robossl.cli.envs_page import page
from robossl.core.registry import TASKS

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_page_of_environments_is_up_to_date() -> None:
    assert (DOCS / "environments.md").read_text() == page(), "out of date: run `make docs`"


def test_every_environment_has_its_section_with_pictures_that_exist() -> None:
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page(), flags=re.MULTILINE | re.DOTALL))
    assert list(sections) == list(TASKS)
    for env_id, text in sections.items():
        pictures = re.findall(r"!\[\w+\]\((\S+)\)", text)
        assert pictures, f"{env_id} has no picture in assets/*/"
        assert all((DOCS / path).is_file() for path in pictures)
        assert "**Success**: " in text
        assert "| reward term" in text
        for line in re.findall(r"^\| `\w+` \| \S+ \| (.*) \|$", text.partition("| reward term")[2], flags=re.MULTILINE):
            assert line, f"{env_id}: a reward term without a meaning"
