"""From `sensor_msgs/Image` to the frame that a policy was trained on: colours, crop and size."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.trips import RefusedMessageError, Trip

_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "32FC1": 1, "16UC1": 1}
_DTYPES = {"32FC1": "f4", "16UC1": "u2"}
_COLOURS = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "rgba8": [0, 1, 2], "bgra8": [2, 1, 0]}
MAX_SIDE_PX = 8192
_M_PER_MM = 1e-3
_TOUCHING_M = 1e-3


def decode_picture(message: Any, encoding: str) -> NDArray[Any]:
    """Returns a message's picture [H, W, C]: uint8 RGB, or float32 distances in m; NaN where a driver writes 0 mm.

    Raises:
        RefusedMessageError: if it has another encoding, or not the bytes that its size needs.
    """
    if message.encoding != encoding:
        raise RefusedMessageError(
            Trip.MALFORMED_INPUT, f"a picture's encoding is {message.encoding!r}, the profile says {encoding!r}"
        )
    height, width, step = int(message.height), int(message.width), int(message.step)
    dtype = np.dtype(_DTYPES.get(encoding, "u1")).newbyteorder(">" if message.is_bigendian else "<")
    row = width * _CHANNELS[encoding] * dtype.itemsize
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX and step >= row):
        raise RefusedMessageError(
            Trip.MALFORMED_INPUT, f"a picture of {height} x {width} pixels in rows of {step} bytes"
        )
    data = np.asarray(message.data, np.uint8)
    if data.size != height * step:
        raise RefusedMessageError(Trip.MALFORMED_INPUT, f"a picture has {data.size} bytes instead of {height * step}")
    pixels = np.ascontiguousarray(data.reshape(height, step)[:, :row]).view(dtype)
    pixels = pixels.reshape(height, width, _CHANNELS[encoding])
    if encoding in _COLOURS:
        return pixels[..., _COLOURS[encoding]]
    if encoding == "16UC1":  # 0 is no measurement, as ROS's depth_image_proc reads it
        return np.where(pixels == 0, np.float32(np.nan), pixels.astype(np.float32) * np.float32(_M_PER_MM))
    return pixels.astype(np.float32)


def same_kind(encoding: str, contract_encoding: str) -> bool:
    """Tells whether pictures of an encoding can be turned into those that the contract asks for."""
    return (encoding in _COLOURS) == (contract_encoding == "rgb8")


def filled(picture: NDArray[Any], nearest: float, farthest: float) -> NDArray[Any]:
    """Puts distances [H, W, 1] that are no numbers into training's range; by REP 118 -inf is too near, NaN unknown.

    Args:
        picture: colours are returned as they are.
        nearest: stands for -inf.
        farthest: stands for +inf and NaN.
    """
    if picture.dtype == np.uint8:
        return picture
    near = max(nearest, _TOUCHING_M)  # by 0 renderers say that nothing is there, and policies learned that
    return np.asarray(np.nan_to_num(picture, nan=farthest, posinf=farthest, neginf=near))


def fit_picture(picture: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Cuts the largest rectangle of width : height from the middle and averages it down (or up) to that size.

    Args:
        picture: [H, W, C]; taken as it is where it already has the size.
        height: of the result.
        width: of the result.

    Returns:
        [height, width, C] of the same dtype.
    """
    if picture.shape[:2] == (height, width):
        return picture
    rows, columns = picture.shape[:2]
    cut_rows = min(rows, max(1, columns * height // width))
    cut_columns = min(columns, max(1, rows * width // height))
    top, left = (rows - cut_rows) // 2, (columns - cut_columns) // 2
    cut = picture[top : top + cut_rows, left : left + cut_columns].astype(np.float32)
    lines = _area_weights(cut_rows, height) @ cut.reshape(cut_rows, -1)  # rows first: they lie together
    small = np.tensordot(lines.reshape(height, cut_columns, -1), _area_weights(cut_columns, width), axes=([1], [1]))
    small = small.swapaxes(1, 2)  # [height, width, C]
    if picture.dtype == np.uint8:
        return np.clip(np.rint(small), 0, 255).astype(np.uint8)
    return small.astype(picture.dtype)


@lru_cache(maxsize=32)
def _area_weights(source: int, target: int) -> NDArray[np.float32]:
    """Returns the share [target, source] that each source cell has of each target cell, along one axis."""
    edges = np.arange(target + 1) * (source / target)
    cells = np.arange(source)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.asarray(np.maximum(overlap, 0.0) * (target / source), np.float32)
