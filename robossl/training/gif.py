"""Frames as pictures that a browser plays and shows: GIF, PNG and contact sheets, all with Pillow."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frames = NDArray[np.uint8]  # [T, H, W, 3]

_TICK_MS = 10  # a GIF counts time in these
_FASTEST_MS = 20  # browsers show faster ones at a tenth of their speed
_PALETTE_SAMPLES = 16


def encode_gif(frames: Frames, fps: float) -> bytes:
    """Encodes frames [T, H, W, 3] uint8 as a GIF that loops for ever.

    All frames share one palette, so that colours do not flicker. Equal frames that follow each other are stored once
    and shown longer.

    Raises:
        ValueError: if the frames are of another shape or type, or there are none.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f"a video needs frames [T, H, W, 3] uint8, got {frames.dtype}{list(frames.shape)}")
    palette = _shared_palette(frames)
    pictures = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    duration_ms = max(_FASTEST_MS, round(1000 / fps / _TICK_MS) * _TICK_MS)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=duration_ms, loop=0, optimize=False
    )
    return buffer.getvalue()


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Encodes a picture [H, W], [H, W, 3] or [H, W, 4] uint8."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def contact_sheet(frames: Frames, *, columns: int = 4, rows: int = 4) -> NDArray[np.uint8]:
    """Lays frames [T, H, W, 3], evenly spread over the time, out on one sheet [rows * H, columns * W, 3]."""
    picked = np.linspace(0, len(frames) - 1, min(len(frames), columns * rows)).round().astype(np.int64)
    return picture_grid(frames[picked], columns)


def picture_grid(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Lays pictures [n, H, W, C] out row by row; places that stay empty are zeros."""
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    grid = np.zeros((rows * columns, height, width, channels), np.uint8)
    grid[:count] = pictures
    grid = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, channels))


def in_colour(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns pictures [..., H, W, C] as [..., H, W, 3]: those of fewer channels grey, of more the first three."""
    return pictures[..., :3] if pictures.shape[-1] >= 3 else np.repeat(pictures[..., :1], 3, axis=-1)


def enlarged(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Returns a picture [H, W, 3] at another height, every pixel still visible as a square."""
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def _shared_palette(frames: Frames) -> Image.Image:
    picked = np.linspace(0, len(frames) - 1, min(len(frames), _PALETTE_SAMPLES)).round().astype(np.int64)
    return Image.fromarray(frames[picked].reshape(-1, frames.shape[2], 3)).quantize(256, dither=Image.Dither.NONE)
