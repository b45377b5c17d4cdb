"""SAC's losses (arXiv 1812.05905) as pure functions. C critics, B batch."""

from torch import Tensor


def soft_target(reward: Tensor, discount: Tensor, target_q: Tensor, next_log_prob: Tensor, ent_coef: Tensor) -> Tensor:
    """Returns what the critics should say: reward + discount (min Q' - alpha log pi), [B].

    Args:
        reward: [B].
        discount: [B], 0 where the episode terminated.
        target_q: [C, B] of the next observations and actions drawn there.
        next_log_prob: [B] of those actions.
        ent_coef: alpha.
    """
    return reward + discount * (target_q.amin(dim=0) - ent_coef * next_log_prob)


def critic_loss(q: Tensor, target_q: Tensor) -> Tensor:
    """Returns half the squared error, the mean over B, summed over the critics: [C, B], [B] -> []."""
    return 0.5 * (q - target_q).square().mean(dim=1).sum()


def actor_loss(q: Tensor, log_prob: Tensor, ent_coef: Tensor) -> Tensor:
    """Returns the mean of alpha log pi - min Q: [C, B], [B] -> []."""
    return (ent_coef * log_prob - q.amin(dim=0)).mean()


def temperature_loss(log_ent_coef: Tensor, log_prob: Tensor, target_entropy: float) -> Tensor:
    """Returns the loss whose gradient raises alpha while the entropy is below its target: [1], [B] -> []."""
    return -(log_ent_coef * (log_prob.detach() + target_entropy)).mean()
