"""The sheet of all modalities says what its colours mean."""

import numpy as np

from robossl.cli import sheet


def test_captions_tell_the_scales_of_depth_and_flow() -> None:
    depth, flow = np.full((4, 4, 1), 2.0), np.zeros((4, 4, 2))
    flow[0, 0] = 3, 4
    told = [sheet._tile(name, f"{name}_eye", picture)[0] for name, picture in [("depth", depth), ("flow", flow)]]
    assert told == ["depth_eye: 2.00 m", "flow_eye: 5.0 px"]


def test_what_does_not_move_is_white_however_little_moves() -> None:
    flow = np.zeros((100, 100, 2))
    flow[0, 0] = 3, 4
    _, painted = sheet._tile("flow", "flow_eye", flow)
    assert (painted[1:] == 255).all()
    assert painted[0, 0].min() == 0
    np.testing.assert_array_equal(sheet.as_colours("flow", np.zeros((2, 2, 2))), 255)


def test_the_legend_tells_the_hues_as_they_are() -> None:
    flow = np.array([[[5.0, 0.0], [0.0, 5.0], [-5.0, 0.0], [0.0, -5.0]]])
    right, down, left, up = sheet.as_colours("flow", flow)[0].astype(int)
    np.testing.assert_array_equal(right, [0, 255, 255])  # cyan
    assert down[2] == 255 > down[0] > down[1] == 0  # violet
    np.testing.assert_array_equal(left, [255, 0, 0])
    assert up[1] == 255 > up[0] > up[2] == 0  # green
    assert "cyan to the right, violet down, red to the left, green up" in sheet._LEGEND["flow"]


def test_the_legend_is_of_the_modalities_drawn() -> None:
    assert [line.partition(":")[0] for line in sheet.legend("gl")] == ["depth", "segmentation, bodies, objects", "flow"]
    assert "normals" in " ".join(sheet.legend("raycast"))


def test_the_legend_tells_of_which_pixels_flow_counts() -> None:
    width, height = sheet._TILE_PX
    assert f"in pixels of these pictures, {width}x{height}, a decision" in sheet._LEGEND["flow"]
