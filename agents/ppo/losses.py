"""PPO's losses (arXiv 1707.06347) as pure functions over a batch of B steps."""

from torch import Tensor


def policy_loss(log_ratio: Tensor, advantage: Tensor, clip_range: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the clipped surrogate loss and how far the policy has moved.

    Args:
        log_ratio: [B], log-probabilities now minus those when acting.
        advantage: [B].
        clip_range: epsilon.
    """
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
    loss = -(ratio * advantage).minimum(clipped * advantage).mean()
    moved = {
        "approx_kl": (ratio - 1.0 - log_ratio).mean(),  # http://joschu.net/blog/kl-approx.html, k3
        "clip_fraction": ((ratio - 1.0).abs() > clip_range).float().mean(),
    }
    return loss, {name: value.detach() for name, value in moved.items()}


def value_loss(value: Tensor, old_value: Tensor, target: Tensor, clip_range: float | None) -> Tensor:
    """Returns the mean squared error of values [B], which move from the old ones by no more than `clip_range`."""
    if clip_range is not None:
        value = old_value + (value - old_value).clamp(-clip_range, clip_range)
    return (value - target).square().mean()


def normalized(advantage: Tensor) -> Tensor:
    """Returns advantages [B] with mean 0 and standard deviation 1; a single one is left as it is."""
    if len(advantage) < 2:
        return advantage
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)
