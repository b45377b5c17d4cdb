"""A small convolutional encoder of camera pictures, cheap enough to train on a CPU."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ImageEncoder(nn.Module):
    """Maps pictures [B, C, H, W] to features [B, num_features] in (-1, 1).

    Convolutions with ReLU, one Linear, LayerNorm and tanh (as in DrQ-v2): whatever the pixels and however the encoder
    was trained, its features arrive at the same scale, so a fresh and a pretrained encoder suit the same heads.

    Args:
        shape: (C, H, W).
        channels, kernels, strides: of the convolutions, one entry per layer.
        num_features: size of the output.
        depth: whether the pictures are distances in metres instead of colours in 0..255.

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
        depth: bool = False,
    ) -> None:
        super().__init__()
        self.depth = depth
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
        scaled = nearness(pixels) if self.depth else pixels.div_(255.0).sub_(0.5)
        features: Tensor = self.head(self.convolutions(scaled).flatten(1))
        return features


def nearness(depth_m: Tensor) -> Tensor:
    """Maps distances in [0, inf] m to [-0.5, 0.5]: near things are told apart best, and infinity is a number."""
    return 0.5 - 1.0 / (1.0 + depth_m)


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
