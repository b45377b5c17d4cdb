"""Where cameras are, from the model."""

from dataclasses import replace
from pathlib import Path

import pytest

from robossl.cli.camera_words import rows
from robossl.core.registry import TASKS, load


def test_a_camera_has_its_field_of_view_its_pose_and_what_it_moves_with() -> None:
    task = load(TASKS, "robossl/RingCorridor-v0", what="environment")()
    front, top, left, right = rows(task.spec, task.build_model())
    assert front == ("`front`", "48x27", "68°, 100°", "0.24, 0, 0.4", "0.985, 0, -0.17", "0.17, 0, 0.985", "`car`")
    assert top[3:] == ("0, 0, 21", "0, 0, -1", "0, 1, 0", "nothing")
    assert (left[3], right[3]) == ("60 mm to the left of `front`", "60 mm to the right of `front`")
    wide = replace(task.spec, cameras=(replace(task.spec.cameras[0], width=27),))
    assert next(iter(rows(wide, task.build_model())))[2] == "68°, 68°"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("ArmReach", "arm_reach"),
        ("ArmPush", "arm_push"),
        ("ArmLift", "arm_lift"),
        ("ArmPegInBox", "arm_peg_in_box"),
    ],
)
def test_the_readme_of_a_scene_tells_where_its_cameras_are(name: str, folder: str) -> None:
    task = load(TASKS, f"robossl/{name}-v0", what="environment")()
    text = (Path(__file__).parent.parent.parent / "assets" / folder / "README.md").read_text()
    for row in rows(task.spec, task.build_model()):
        assert f"| {' | '.join(row)} |" in text, "`robossl envs docs` has the row as it is now"
