"""Random views of observations: pictures are changed, vectors never."""

import math
from collections.abc import Container
from dataclasses import dataclass

import torch
from torch import Tensor

from robossl.core.errors import UserError
from robossl.data.augment import cropped_alike, photometric, require_shift, shifted_alike, shortest_side
from robossl.nets.multimodal import ObservationShapes


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewConfig:
    """How a view of pictures is made: those of one size are cropped and shifted alike.

    Attributes:
        shift_px: largest shift along either axis.
        jitter: half-width of the factors of brightness, contrast and saturation, which are alike for all frames of a
            stack; 0 changes none. Only colours of three channels are varied.
        crop_area: smallest share of the picture that a crop keeps; None does not crop. A crop hides where and how far
            away things are, which driving and grasping need.
        crop_stretch: largest change of a crop's aspect ratio.
    """

    shift_px: int = 2
    jitter: float = 0.3
    crop_area: float | None = None
    crop_stretch: float = 4 / 3

    def __post_init__(self) -> None:
        if self.shift_px < 0 or not 0.0 <= self.jitter <= 1.0:
            raise UserError(f"view: needs shift_px >= 0 and jitter in [0, 1], got {self.shift_px} and {self.jitter}")
        if self.crop_area is not None and not (0.0 < self.crop_area <= 1.0 <= self.crop_stretch < math.inf):
            raise UserError(
                "view: needs crop_area in (0, 1] and finite crop_stretch >= 1,"
                f" got {self.crop_area} and {self.crop_stretch}"
            )

    def require_fit(self, observation: ObservationShapes) -> None:
        """Checks that shifts and crops leave something of every picture of an observation.

        Raises:
            UserError: if not.
        """
        shapes = [shape for shape, _ in observation.values()]
        require_shift(self.shift_px, shapes, what="view: shift_px")
        side = shortest_side(shapes)
        if side is not None and self.crop_area is not None and self.crop_area < self.crop_stretch / side**2:
            raise UserError(
                f"view: a crop may keep less than a pixel: crop_area / crop_stretch must be at least 1 / {side**2},"
                f" got {self.crop_area} / {self.crop_stretch}"
            )


def make_view(
    obs: dict[str, Tensor], config: ViewConfig, generator: torch.Generator, coloured: Container[str]
) -> dict[str, Tensor]:
    """Returns a random view of {key: [B, ...]}: pictures [B, C, H, W] change, their colours if they are `coloured`."""
    pictures = {key: value for key, value in obs.items() if value.ndim == 4}
    if config.crop_area is not None:
        pictures = cropped_alike(pictures, generator, min_area=config.crop_area, max_stretch=config.crop_stretch)
    pictures = shifted_alike(pictures, config.shift_px, generator)
    if (x := config.jitter) > 0:
        pictures |= {
            key: photometric(picture, generator, brightness=x, contrast=x, saturation=x)
            for key, picture in pictures.items()
            if key in coloured
        }
    return {**obs, **pictures}


def make_window_view(
    obs: dict[str, Tensor], config: ViewConfig, generator: torch.Generator, coloured: Container[str]
) -> dict[str, Tensor]:
    """Returns a random view of windows {key: [B, T, ...]}, the same change for all steps of a window."""
    stacked = {key: value.flatten(1, 2) for key, value in obs.items() if value.ndim == 5}
    views = make_view(stacked, config, generator, coloured)
    return {key: views[key].view_as(value) if key in views else value for key, value in obs.items()}
