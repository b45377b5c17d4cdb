"""A small convolutional encoder of camera pictures, cheap enough to train on a CPU."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Scaling: TypeAlias = Callable[[Tensor], Tensor]


class ImageEncoder(nn.Module):
    """Maps pictures [B, C, H, W] to features [B, num_features] in (-1, 1).

    Convolutions with ReLU, one Linear, LayerNorm and tanh (as in DrQ-v2): whatever the pixels and however the encoder
    was trained, its features arrive at the same scale, so a fresh and a pretrained encoder suit the same heads.

    Args:
        shape: (C, H, W).
        channels, kernels, strides: of the convolutions, one entry per layer.
        num_features: size of the output.
        scaling: from new float32 pixels, which it may overwrite, to [-0.5, 0.5]; see `scaling_of`.

    Raises:
        ValueError: if the picture is too small for the convolutions.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        channels: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        num_features: int,
        scaling: Scaling,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        height, width = (conv_size(size, kernels, strides) for size in shape[1:])
        layers: list[nn.Module] = []
        for num_in, num_out, kernel, stride in zip((shape[0], *channels), channels, kernels, strides, strict=False):
            layers += [nn.Conv2d(num_in, num_out, kernel, stride), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(channels[-1] * height * width, num_features), nn.LayerNorm(num_features), nn.Tanh()
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encodes raw pictures [B, C, H, W], uint8 or float."""
        # channels-last is twice as fast on a CPU; weights stay as they are: SB3's orthogonal init and safetensors
        # refuse channels-last ones, and the input's layout alone selects the kernels. Bytes are cheaper to reorder
        # than floats, and large new tensors cost more than the convolutions: hence the order, and in place.
        pixels = images.contiguous(memory_format=torch.channels_last).to(torch.float32, copy=True)
        features: Tensor = self.head(self.convolutions(self.scaling(pixels)).flatten(1))
        return features


def scaling_of(key: str, dtype: str) -> Scaling:
    """Returns how the pictures of an observation are scaled: bytes are colours, other numbers what their key says.

    Numbers are distances unless the key begins with another modality, as cameras' keys do.
    """
    return centred if dtype == "uint8" else _SCALINGS.get(key.partition("_")[0], nearness)


def centred(colours: Tensor) -> Tensor:
    """Maps colours in [0, 255] to [-0.5, 0.5], in place."""
    return colours.div_(255.0).sub_(0.5)


def nearness(depth_m: Tensor) -> Tensor:
    """Maps distances in m to [-0.5, 0.5]: near things are told apart best, and infinity is a number.

    What is not in front of the camera is as far as can be: by 0 renderers say that nothing is there.
    """
    return torch.where(depth_m <= 0.0, 0.5, 0.5 - 1.0 / (1.0 + depth_m))


def halved(normals: Tensor) -> Tensor:
    """Maps components of unit vectors to [-0.5, 0.5]."""
    return normals * 0.5


def squashed(flow_px: Tensor) -> Tensor:
    """Maps displacements in pixels, of either sign, to (-0.5, 0.5): small ones are told apart best."""
    return F.softsign(flow_px) * 0.5


_SCALINGS: dict[str, Scaling] = {"normals": halved, "flow": squashed}


def conv_size(size: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Returns how many pixels of a side of `size` are left after unpadded convolutions.

    Raises:
        ValueError: if none are left.
    """
    left = size
    for kernel, stride in zip(kernels, strides, strict=True):
        left = (left - kernel) // stride + 1 if left >= kernel else 0
    if left < 1:
        raise ValueError(f"{size} pixels are too few for kernels {tuple(kernels)} with strides {tuple(strides)}")
    return left
