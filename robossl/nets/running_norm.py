"""Normalisation of vectors by what was seen of them: part of the encoder, so that no export can forget it."""

import torch
from torch import Tensor, nn

_LIMIT = 10.0  # standard deviations: what lies beyond was hardly ever seen
_LEAST_VARIANCE = 1e-6  # what hardly moves would be rounding errors, blown up


class RunningNorm(nn.Module):
    """Scales each element of [B, D] to mean 0 and standard deviation 1 over all batches it was told to learn.

    Elements whose standard deviation is below 1e-3 are scaled by 1000, and so stay below 1.
    Statistics are cumulative (Chan, Golub and LeVeque 1979), so they settle as training goes on.
    """

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_inputs))
        self.register_buffer("variance", torch.ones(num_inputs))
        self.register_buffer("count", torch.zeros(()))
        self.mean: Tensor
        self.variance: Tensor
        self.count: Tensor

    def forward(self, vectors: Tensor) -> Tensor:
        """Normalises [B, D], clipped to where values were seen; as long as none were, they pass unchanged."""
        scaled = (vectors - self.mean) * torch.rsqrt(self.variance.clamp(min=_LEAST_VARIANCE))
        return torch.where(self.count > 0, scaled.clamp(-_LIMIT, _LIMIT), vectors)

    @torch.no_grad()
    def learn(self, vectors: Tensor) -> None:
        """Adds [B, D] to what was seen."""
        variance, mean = torch.var_mean(vectors, dim=0, correction=0)
        total = self.count + len(vectors)
        share = len(vectors) / total
        difference = mean - self.mean
        self.variance.copy_((1 - share) * (self.variance + share * difference**2) + share * variance)
        self.mean += share * difference
        self.count.copy_(total)
