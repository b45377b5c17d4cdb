"""Where cameras are, from the model."""

from dataclasses import replace

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
