import io

import numpy as np
import pytest
from PIL import Image

from robossl.training.gif import contact_sheet, encode_gif, encode_png, enlarged, picture_grid


def moving_square(count):
    frames = np.full((count, 24, 32, 3), (40, 90, 160), np.uint8)
    for t in range(count):
        frames[t, 5:15, t : t + 8] = (230, 200, 30)
    return frames


def decoded(content):
    gif = Image.open(io.BytesIO(content))
    frames, durations = [], []
    for i in range(gif.n_frames):
        gif.seek(i)
        frames.append(np.asarray(gif.convert("RGB")))
        durations.append(gif.info["duration"])
    return np.stack(frames), durations, gif.info.get("loop")


def test_every_frame_comes_back_with_its_colours_and_time():
    frames = moving_square(20)
    again, durations, loop = decoded(encode_gif(frames, fps=4.0))
    assert again.shape == frames.shape
    assert np.abs(again.astype(int) - frames).max() <= 8
    assert durations == [250] * 20
    assert loop == 0


def test_frames_that_do_not_change_keep_their_time():
    frames = np.repeat(moving_square(3), [1, 4, 1], axis=0)
    _, durations, _ = decoded(encode_gif(frames, fps=10.0))
    assert sum(durations) == 600


def test_a_fast_video_is_not_faster_than_browsers_play():
    _, durations, _ = decoded(encode_gif(moving_square(3), fps=500.0))
    assert durations == [20, 20, 20]


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 4, 4), (2, 4, 4, 1)])
def test_what_is_no_video_is_refused(shape):
    with pytest.raises(ValueError, match=r"frames \[T, H, W, 3\] uint8, got"):
        encode_gif(np.zeros(shape, np.uint8), 4.0)
    with pytest.raises(ValueError, match="float64"):
        encode_gif(np.zeros((2, 4, 4, 3)), 4.0)


def test_a_png_is_exact():
    frame = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(frame)))), frame)


def test_pictures_lie_row_by_row_and_empty_places_are_black():
    pictures = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    grid = picture_grid(pictures, 2)
    assert grid.shape == (6, 6, 3)
    assert grid[::2, ::3, 0].tolist() == [[1, 2], [3, 4], [5, 0]]


def test_a_contact_sheet_spans_the_whole_video():
    frames = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    sheet = contact_sheet(frames, columns=2, rows=2)
    assert sheet[::2, ::2, 0].tolist() == [[0, 33], [66, 99]]


def test_enlarging_keeps_pixels_square():
    picture = np.arange(8, dtype=np.uint8).reshape(2, 4, 1).repeat(3, -1)
    np.testing.assert_array_equal(enlarged(picture, 6), picture.repeat(3, 0).repeat(3, 1))
