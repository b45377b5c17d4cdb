"""Augmentation of batches of pictures: pure functions, one draw per sample, the same for all frames of its stack.

Pictures are [B, C, H, W]: uint8 is colours and leaves as uint8 (rounded); float may be anything, such as distances. To
treat all steps of windows [B, T, C, H, W] alike, hand them in as [B, T * C, H, W].

Random shift: Yarats, Kostrikov, Fergus, "Image augmentation is all you need", ICLR 2021.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view

from robossl.core.errors import UserError

RGB_TO_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


def shortest_side(shapes: Iterable[tuple[int, ...]]) -> int | None:
    """Returns the least height or width of the pictures [C, H, W] among some shapes; None where there are none."""
    return min((min(shape[1:]) for shape in shapes if len(shape) == 3), default=None)


def require_shift(shift_px: int, shapes: Iterable[tuple[int, ...]], *, what: str) -> None:
    """Checks that shifts leave something of every picture [C, H, W] among some shapes.

    Raises:
        UserError: naming the greatest shift that does, if not.
    """
    side = shortest_side(shapes)
    if side is not None and shift_px >= side:
        raise UserError(
            f"{what} must be at most {side - 1}, a pixel less than the pictures' shorter side: got {shift_px}"
        )


def random_shift(images: torch.Tensor, pad: int, generator: torch.Generator) -> torch.Tensor:
    """Shifts each sample by up to `pad` whole pixels in each direction; its border pixels fill what opens up.

    Args:
        images: [B, C, H, W], any dtype.
        pad: the largest shift in pixels.
        generator: source of the shifts.

    Returns:
        [B, C, H, W].
    """
    return shifted_alike({"": images}, pad, generator)[""]


def shifted_alike(
    pictures: Mapping[str, torch.Tensor], pad: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Shifts pictures {key: [B, C, H, W]} like `random_shift`, those of a camera alike: their pixels stay together."""
    if pad == 0:
        return dict(pictures)
    return _alike(pictures, partial(_draw_shift, pad, generator), partial(_shift, pad))


def photometric(
    images: torch.Tensor, generator: torch.Generator, *, brightness: float, contrast: float, saturation: float
) -> torch.Tensor:
    """Scales brightness, contrast and saturation of each sample by factors uniform in [1 - x, 1 + x], within 0..255.

    Contrast scales about the mean grey of the sample's whole stack.

    Args:
        images: [B, 3 k, H, W], k RGB frames.
        generator: source of the factors.
        brightness: half-width x in [0, 1].
        contrast: half-width.
        saturation: half-width.

    Returns:
        [B, 3 k, H, W], same dtype.

    Raises:
        ValueError: if the channels are not whole RGB frames.
    """
    batch_size, channels = images.shape[:2]
    if channels % 3:
        raise ValueError(f"colour jitter needs RGB frames, got {channels} channels")
    unit = torch.rand(3, batch_size, 1, 1, generator=generator, device=generator.device).to(images.device)
    bright, contrasty, saturated = (
        1 + half_width * (2 * factor - 1)
        for half_width, factor in zip((brightness, contrast, saturation), unit, strict=True)
    )
    pixels = images.reshape(batch_size, channels // 3, 3, -1).float()
    grey = _grey(images.device)
    mix = saturated * torch.eye(3, device=images.device) + (1 - saturated) * grey  # [B, 3, 3]
    mean = (pixels.mean(dim=(1, 3)) * grey).sum(dim=1).view(-1, 1, 1, 1)
    jittered = torch.matmul((bright * contrasty * mix)[:, None], pixels)
    jittered += mean * (bright * (1 - contrasty))[..., None]
    return _as_input(jittered.view(images.shape).clamp(0, 255), images.dtype)


def random_resized_crop(
    images: torch.Tensor, generator: torch.Generator, *, min_area: float, max_stretch: float
) -> torch.Tensor:
    """Cuts a random rectangle out of each sample and resizes it to the size of the whole.

    Colours are interpolated, bilinearly; other numbers are those of the nearest pixel, as nothing is half-way between a
    thing and the distance, or the infinity, behind it.

    Args:
        images: [B, C, H, W].
        generator: source of the rectangles.
        min_area: smallest share of the picture's area; the share is uniform in [min_area, 1].
        max_stretch: largest change of the aspect ratio, at least 1; its logarithm is uniform.

    Returns:
        [B, C, H, W], same dtype.
    """
    return cropped_alike({"": images}, generator, min_area=min_area, max_stretch=max_stretch)[""]


def cropped_alike(
    pictures: Mapping[str, torch.Tensor], generator: torch.Generator, *, min_area: float, max_stretch: float
) -> dict[str, torch.Tensor]:
    """Crops pictures {key: [B, C, H, W]} like `random_resized_crop`, those of a camera alike."""
    return _alike(pictures, partial(_draw_crop, generator, min_area, max_stretch), _crop)


def _alike(
    pictures: Mapping[str, torch.Tensor],
    draw: Callable[[torch.Tensor], torch.Tensor],
    change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Changes pictures by what is drawn once for each camera and size; two eyes are one camera."""
    drawn: dict[tuple[str, int, int], torch.Tensor] = {}
    changed = {}
    for key, images in pictures.items():
        place = (_camera(key), *images.shape[-2:])
        if place not in drawn:
            drawn[place] = draw(images)
        changed[key] = change(images, drawn[place])
    return changed


def _camera(key: str) -> str:
    """Returns what follows the modality, less which eye it is; the key itself where it names no modality."""
    camera = key.partition("_")[2] or key
    return camera.removesuffix("_left").removesuffix("_right")


def _draw_crop(generator: torch.Generator, min_area: float, max_stretch: float, images: torch.Tensor) -> torch.Tensor:
    """Returns where [B, 2, 3] in a sample the cropped one's corners lie, as `affine_grid` takes it."""
    unit = torch.rand(4, len(images), generator=generator, device=generator.device).to(images.device)
    area = min_area + (1 - min_area) * unit[0]
    stretch = max_stretch ** (2 * unit[1] - 1)
    width, height = (area * stretch).sqrt().clamp(max=1), (area / stretch).sqrt().clamp(max=1)
    zero = torch.zeros_like(width)
    centre_x, centre_y = (1 - width) * (2 * unit[2] - 1), (1 - height) * (2 * unit[3] - 1)
    rows = [torch.stack([width, zero, centre_x], dim=1), torch.stack([zero, height, centre_y], dim=1)]
    return torch.stack(rows, dim=1)


def _crop(images: torch.Tensor, rectangle: torch.Tensor) -> torch.Tensor:
    grid = F.affine_grid(rectangle, list(images.shape), align_corners=False)
    mode = "bilinear" if images.dtype == torch.uint8 else "nearest"
    return _as_input(F.grid_sample(images.float(), grid, mode, "border", align_corners=False), images.dtype)


def _draw_shift(pad: int, generator: torch.Generator, images: torch.Tensor) -> torch.Tensor:
    """Returns by how many pixels [2, B] each sample goes down and to the right."""
    offset = torch.randint(2 * pad + 1, (2, len(images)), generator=generator, device=generator.device)
    return (offset - pad).to(images.device)


def _shift(pad: int, images: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    down, right = offset
    if images.device.type == "cpu":
        return _shift_by_rows(images, down, right, pad)
    return _shift_by_index(images, down, right)


def _shift_by_rows(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor, pad: int) -> torch.Tensor:
    """Moves memory, not pixels: whole rows for `down`, whole samples for `right`, then mends the columns at the edges.

    On a CPU this is ten times faster than indexing pixels.
    """
    batch_size, channels, height, width = images.shape
    row = (np.arange(height) - down.numpy()[:, None]).clip(0, height - 1)
    plane = np.arange(batch_size * channels).reshape(batch_size, channels, 1) * height
    source = images.numpy().reshape(-1, width)
    flat = np.empty(source.size + 2 * pad, source.dtype)
    moved = flat[pad : pad + source.size].reshape(images.shape)
    np.take(source, (plane + row[:, None, :]).ravel(), axis=0, out=moved.reshape(-1, width), mode="clip")
    size, by = channels * height * width, right.numpy()
    shifted = sliding_window_view(flat, size)[np.arange(batch_size) * size + pad - by].reshape(images.shape)
    for column in range(min(pad, width)):
        left_edge, right_edge = np.flatnonzero(by > column), np.flatnonzero(-by > column)
        shifted[left_edge, :, :, column] = moved[left_edge, :, :, 0]
        shifted[right_edge, :, :, -1 - column] = moved[right_edge, :, :, -1]
    return torch.from_numpy(shifted)


def _shift_by_index(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    batch_size, channels, height, width = images.shape
    device = images.device
    sample = torch.arange(batch_size, device=device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=device).view(-1, 1, 1)
    row = (torch.arange(height, device=device) - down[:, None]).clamp_(0, height - 1)
    column = (torch.arange(width, device=device) - right[:, None]).clamp_(0, width - 1)
    return images[sample, channel, row[:, None, :, None], column[:, None, None, :]]


@lru_cache
def _grey(device: torch.device) -> torch.Tensor:
    """Returns the weights [3] of grey; copied to the device once."""
    return torch.tensor(RGB_TO_GREY, device=device)


def _as_input(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return values.round().to(dtype) if dtype == torch.uint8 else values.to(dtype)
