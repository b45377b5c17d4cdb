"""What is told before a run begins."""

import re
from pathlib import Path

import pytest

from robossl.cli.compose import load_checkpoint, note_single_frames
from robossl.core import ArraySpec, UserError

PICTURES = {
    "rgb_front": ArraySpec(shape=(8, 9, 3), dtype="uint8"),
    "depth_front": ArraySpec(shape=(8, 9, 1)),
    "flow_front": ArraySpec(shape=(8, 9, 2)),
    "proprio": ArraySpec(shape=(4,)),
}


def test_pictures_that_are_not_stacked_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    note_single_frames(3, PICTURES)
    assert capsys.readouterr().err == (
        "frame_stack 3 joins colours alone; one frame at a time: depth_front, flow_front\n"
    )


@pytest.mark.parametrize(
    ("which", "hint"), [("bst", "did you mean 'best'?"), ("7", "known: 1000, 2000, best, last"), ("best", "")]
)
def test_a_checkpoint_that_is_not_there_is_told_with_those_that_are(which: str, hint: str, tmp_path: Path) -> None:
    for step in (1000, 2000) if hint else ():
        (tmp_path / "checkpoints" / f"{step:09d}").mkdir(parents=True)
        (tmp_path / "checkpoints" / f"{step:09d}" / "done").touch()
    told = f"{tmp_path} has no checkpoint '{which}'" + (f"; {hint}" if hint else "")
    with pytest.raises(UserError, match=f"^{re.escape(told)}$"):
        load_checkpoint(tmp_path, which)


def test_where_all_pictures_are_stacked_or_none_shall_be_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    note_single_frames(1, PICTURES)
    note_single_frames(3, {key: PICTURES[key] for key in ("rgb_front", "proprio")})
    assert capsys.readouterr().err == ""
