from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
from deploy_robots import image
from numpy.typing import NDArray

from robossl.deploy.pictures import decode_picture, filled, fit_picture
from robossl.deploy.trips import RefusedMessageError


def pixels(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(("encoding", "order"), [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("bgra8", [2, 1, 0])])
def test_colours_arrive_as_rgb_whatever_the_rows(encoding: str, order: list[int], padding: int) -> None:
    sent = pixels(3, 5, 4 if "a" in encoding else 3)
    np.testing.assert_array_equal(decode_picture(image(1, sent, encoding, padding), encoding), sent[..., order])


@pytest.mark.parametrize(("encoding", "bigendian"), [("16UC1", 0), ("16UC1", 1), ("32FC1", 0), ("32FC1", 1)])
def test_distances_arrive_in_metres(encoding: str, bigendian: int) -> None:
    distance_m = np.array([[0.5, 1.25], [2.0, 3.5]], np.float32)
    dtype = np.dtype("u2" if encoding == "16UC1" else "f4").newbyteorder(">" if bigendian else "<")
    raw = (distance_m * 1000 if encoding == "16UC1" else distance_m).astype(dtype)
    message = image(1, np.ascontiguousarray(raw).view(np.uint8).reshape(2, 2, -1), encoding)
    message.is_bigendian = bigendian
    np.testing.assert_allclose(decode_picture(message, encoding)[..., 0], distance_m, rtol=1e-6)


def test_no_distance_is_not_a_short_one() -> None:
    raw = np.array([[0, 1500]], np.uint16)
    message = image(1, raw.view(np.uint8).reshape(1, 2, 2), "16UC1")
    np.testing.assert_allclose(decode_picture(message, "16UC1")[0, :, 0], [np.nan, 1.5])


@dataclass
class Lie:
    field: str
    value: Any


@pytest.mark.parametrize(
    "lie",
    [
        Lie("encoding", "rgb8"),
        Lie("height", 4),
        Lie("width", 2**31),
        Lie("width", 0),
        Lie("step", 1),
        Lie("step", 2**32 - 1),
        Lie("data", np.zeros(0, np.uint8)),
    ],
    ids=lambda lie: f"{lie.field}",
)
def test_a_picture_that_contradicts_itself_is_refused(lie: Lie) -> None:
    message = image(1, pixels(3, 5))
    setattr(message, lie.field, lie.value)
    with pytest.raises(RefusedMessageError, match="picture"):
        decode_picture(message, "bgr8")


@pytest.mark.parametrize("size", [(48, 48), (50, 77), (480, 640), (30, 200)])
def test_resizing_averages_over_areas_as_opencv_does(size: tuple[int, int]) -> None:
    picture = pixels(*size)
    rows, columns = min(size[0], size[1] * 16 // 24), min(size[1], size[0] * 24 // 16)
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    expected = cv2.resize(picture[top : top + rows, left : left + columns], (24, 16), interpolation=cv2.INTER_AREA)
    assert np.abs(fit_picture(picture, 16, 24).astype(int) - expected).max() <= 1


def test_a_picture_of_the_right_size_is_taken_as_it_is() -> None:
    picture = pixels(16, 24)
    assert fit_picture(picture, 16, 24) is picture


@pytest.mark.parametrize("size", [(50, 1), (1, 50), (8192, 1)])
def test_a_picture_too_thin_for_the_shape_gives_its_middle(size: tuple[int, int]) -> None:
    for height, width in ((27, 48), (48, 27)):
        assert (fit_picture(np.full((*size, 3), 7, np.uint8), height, width) == 7).all()


def test_distances_that_are_no_numbers_stay_in_trainings_range() -> None:
    holes = np.array([[np.nan, np.inf], [-np.inf, 1.5]], np.float32)[..., None]
    np.testing.assert_array_equal(filled(holes, 0.25, 4.0)[..., 0], [[4.0, 4.0], [0.25, 1.5]])
    assert filled(holes, 0.0, 4.0)[1, 0, 0] > 0  # where training saw nothing at all, a 0, too near is not that
    colours = pixels(2, 2)
    assert filled(colours, 0.0, 1.0) is colours


def test_distances_are_averaged_without_rounding() -> None:
    picture = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    np.testing.assert_allclose(fit_picture(picture, 2, 2)[..., 0], [[2.5, 4.5], [10.5, 12.5]])
