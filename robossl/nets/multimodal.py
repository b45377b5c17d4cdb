"""The encoder that every stage shares: pretraining, RL, probes and export all see through this one module."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from robossl.core.errors import UserError
from robossl.nets.image import ImageEncoder, scaling_of
from robossl.nets.mlp import orthogonal_init
from robossl.nets.running_norm import RunningNorm
from robossl.nets.vector import VectorEncoder

ObservationShapes: TypeAlias = Mapping[str, tuple[tuple[int, ...], str]]  # {key: ((C, H, W), (T, D) or (D,), dtype)}

_DTYPES = {3: ("uint8", "float32"), 2: ("float32",), 1: ("float32",)}  # by number of dimensions


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Sizes of a `MultimodalEncoder`.

    Attributes:
        channels: of the convolutions on pictures, one entry per layer.
        kernels: their sizes in pixels, likewise.
        strides: likewise.
        image_features: per picture.
        vector_hidden: hidden layers of the vectors' network.
        vector_features: of all vectors together; None passes the raw vectors on.
    """

    channels: tuple[int, ...] = (16, 32, 32)
    kernels: tuple[int, ...] = (5, 3, 3)
    strides: tuple[int, ...] = (3, 2, 1)
    image_features: int = 64
    vector_hidden: tuple[int, ...] = (64,)
    vector_features: int | None = 64

    def __post_init__(self) -> None:
        if not self.channels or not len(self.channels) == len(self.kernels) == len(self.strides):
            raise UserError(
                "encoder: channels, kernels and strides need one entry per layer, got "
                f"{self.channels}, {self.kernels} and {self.strides}"
            )
        sizes = (*self.channels, *self.kernels, *self.strides, *self.vector_hidden, self.image_features)
        if min(sizes) < 1 or (self.vector_features is not None and self.vector_features < 1):
            raise UserError("encoder: every size must be at least 1")


class MultimodalEncoder(nn.Module):
    """Maps an observation {key: [B, ...]} to features [B, features_dim].

    Pictures [B, C, H, W] (uint8 or float 0..255 colours; float32 depth in m, or what their key says, see `scaling_of`)
    have one `ImageEncoder` each, vectors [B, D] one `VectorEncoder` together; the features are joined in the order
    pictures, vectors. It serves as an SB3 features extractor. Built within `seeded_init` its first weights repeat.

    Args:
        observation: {key: (shape, dtype)} of what it sees, channels first; other keys of an observation are ignored.
        config: its sizes.

    Attributes:
        frozen: see `freeze`.

    Raises:
        UserError: if an observation cannot be encoded, or a picture is too small.
    """

    def __init__(self, observation: ObservationShapes, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.frozen = False
        parts = {
            key: part if isinstance(part, tuple) else (part.shape, part.dtype) for key, part in observation.items()
        }
        self.observation = {key: (tuple(shape), str(dtype)) for key, (shape, dtype) in parts.items()}
        _check(self.observation)
        self.picture_keys = tuple(key for key, (shape, _) in self.observation.items() if len(shape) == 3)
        self.vector_keys = tuple(key for key, (shape, _) in self.observation.items() if len(shape) < 3)
        self.images = nn.ModuleDict({key: self._image_encoder(key) for key in self.picture_keys})
        num_inputs = sum(math.prod(self.observation[key][0]) for key in self.vector_keys)
        self.vector_norm = RunningNorm(num_inputs)
        self.vectors: nn.Module = nn.Identity()
        if self.vector_keys and config.vector_features is not None:
            self.vectors = VectorEncoder(num_inputs, hidden=config.vector_hidden, num_features=config.vector_features)
            num_inputs = config.vector_features
        self.pictures_dim = len(self.picture_keys) * config.image_features
        self.features_dim = self.pictures_dim + num_inputs
        orthogonal_init(self)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Encodes {key: [B, ...]} to [B, features_dim]."""
        parts = [self.encode_pictures(obs)] if self.picture_keys else []
        if self.vector_keys:
            parts.append(self.vectors(self.vector_norm(self._joined_vectors(obs))))
        return torch.cat(parts, dim=-1)

    def freeze(self, frozen: bool = True) -> None:
        """Keeps what pretraining trains, and statistics, as they are from now on, or lets them change again.

        Where there are pictures, objectives train those alone: the vectors' network is as it was made, and goes on
        learning.
        """
        self.frozen = frozen
        self.requires_grad_(not frozen)
        if self.picture_keys:
            self.vectors.requires_grad_(True)

    def observe(self, obs: Mapping[str, Tensor]) -> None:
        """Adds the vectors of a batch {key: [B, ...]} to the statistics that normalise them, unless it is frozen."""
        if self.vector_keys and not self.frozen:
            self.vector_norm.learn(self._joined_vectors(obs))

    def encode_pictures(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Encodes the pictures alone: the first [B, pictures_dim] of the features."""
        return torch.cat([self.images[key](obs[key]) for key in self.picture_keys], dim=-1)

    def _joined_vectors(self, obs: Mapping[str, Tensor]) -> Tensor:
        dims = {key: len(self.observation[key][0]) for key in self.vector_keys}
        return torch.cat([obs[key].float().flatten(-dim) for key, dim in dims.items()], dim=-1)

    def _image_encoder(self, key: str) -> ImageEncoder:
        shape, dtype = self.observation[key]
        config = self.config
        try:
            return ImageEncoder(
                shape,
                channels=config.channels,
                kernels=config.kernels,
                strides=config.strides,
                num_features=config.image_features,
                scaling=scaling_of(key, dtype),
            )
        except ValueError as error:
            raise UserError(
                f"observation {key!r} of {shape[1]}x{shape[2]} pixels cannot be encoded: {error}"
            ) from error


def encode_window(encoder: Callable[[dict[str, Tensor]], Tensor], obs: Mapping[str, Tensor]) -> Tensor:
    """Encodes windows {key: [B, T, ...]} to [B, T, D]: on a GPU all at once, on a CPU step by step, which is faster."""
    first = next(iter(obs.values()))
    num_steps = first.shape[1]
    if first.is_cuda:
        joined = encoder({key: value.flatten(0, 1) for key, value in obs.items()})
        return joined.view(-1, num_steps, *joined.shape[1:])
    return torch.stack([encoder({key: value[:, t] for key, value in obs.items()}) for t in range(num_steps)], dim=1)


def _check(observation: dict[str, tuple[tuple[int, ...], str]]) -> None:
    if not observation:
        raise UserError("an encoder needs at least one observation")
    for key, (shape, dtype) in observation.items():
        if dtype not in _DTYPES.get(len(shape), ()):
            raise UserError(
                f"observation {key!r} is {dtype}{list(shape)}: an encoder takes uint8 or float32 pictures (C, H, W) "
                "and float32 vectors (D,) or series of them (T, D)"
            )
