"""What is told before a run begins."""

import pytest

from robossl.cli.compose import note_single_frames
from robossl.core import ArraySpec

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


def test_where_all_pictures_are_stacked_or_none_shall_be_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    note_single_frames(1, PICTURES)
    note_single_frames(3, {key: PICTURES[key] for key in ("rgb_front", "proprio")})
    assert capsys.readouterr().err == ""
