"""What a person reads of the parser: help that ends and has no unwanted colours, mistakes in one plain line."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from robossl.cli.arguments import parse
from robossl.core import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Does something."""

    level: Literal["easy", "medium", "hard"] | None = None
    steps: int | None = None
    size: tuple[int, int] | None = None
    out: Path | None = None


def parsed(*words: str) -> Command:
    return parse(Command(), words, usage="robossl something [THAT] [--has ALONG USAGE]", description="Does something.")


@pytest.mark.parametrize("columns", ["1", "5", "80"])
def test_help_ends_in_any_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        parsed("--help")
    assert "--steps" in capsys.readouterr().out


@pytest.mark.parametrize(("choice", "is_coloured"), [(None, True), ("", True), ("1", False)])
def test_help_has_colours_unless_told_otherwise(
    choice: str | None, is_coloured: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if choice is not None:
        monkeypatch.setenv("NO_COLOR", choice)
    with pytest.raises(SystemExit):
        parsed("--help")
    assert ("\x1b[" in capsys.readouterr().out) == is_coloured


@pytest.mark.parametrize("columns", ["20", "60", "200"])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--level hrad", "invalid choice 'hrad' for argument '--level'; did you mean 'hard'?"),
        ("--level zzz", "invalid choice 'zzz' for argument '--level'; known: None, easy, hard, medium"),
        ("--steps abc", "--steps takes INT or None, got 'abc'"),
        ("--size 64", "--size takes INT INT or None, got '64'"),
        ("--out", "Missing value for argument '--out'. Expected 1 values."),
    ],
)
def test_a_mistake_is_told_in_one_plain_line(
    columns: str, words: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(UsageError, match=f"^{re.escape(line)}$"):
        parsed(*words.split())


def test_a_mistake_is_told_where_no_frames_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(UsageError, match=r"^--steps takes INT or None, got 'abc'$"):
        parsed("--steps", "abc")


@pytest.mark.parametrize("words", [["--out", ""], ["--out="], ["--out", " "], ["--steps", "1", "--out", ""]])
def test_an_empty_value_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^--out is empty: is a variable not set\?$"):
        parsed(*words)
