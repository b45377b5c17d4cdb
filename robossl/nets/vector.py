"""An encoder of proprioception and other vectors."""

from torch import Tensor, nn

from robossl.nets.mlp import mlp


class VectorEncoder(nn.Module):
    """Maps vectors [B, D] to features [B, num_features] in (-1, 1), at the same scale as those of pictures."""

    def __init__(self, num_inputs: int, *, hidden: tuple[int, ...], num_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(mlp((num_inputs, *hidden, num_features)), nn.LayerNorm(num_features), nn.Tanh())

    def forward(self, vectors: Tensor) -> Tensor:
        """Encodes vectors [B, D]."""
        features: Tensor = self.layers(vectors)
        return features
