"""Steps of the agents' optimisers: rates over a run, an encoder with a rate of its own, objectives beside."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import torch
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor, nn

from robossl.nets.optimisers import set_learning_rates
from robossl.objectives import RepresentationLearner

ScheduleName: TypeAlias = Literal["constant", "linear"]


def make_schedule(learning_rate: float, name: ScheduleName) -> float | Schedule:
    """Returns what SB3 takes as `learning_rate`; `linear` falls to 0 at the end of the run."""
    return learning_rate if name == "constant" else LinearSchedule(learning_rate, 0.0, 1.0)


def parameter_groups(
    heads: Iterable[nn.Parameter], encoder: nn.Module, *, learning_rate: float, encoder_rate: float | None
) -> list[dict[str, Any]]:
    """Returns the groups of an optimiser of both; what is frozen is left out.

    The key `scale` says by what the run's scheduled rate is multiplied.
    """
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    scale = 1.0 if encoder_rate is None else encoder_rate / learning_rate
    groups = [{"params": list(heads), "lr": learning_rate, "scale": 1.0}]
    if trained:
        groups.append({"params": trained, "lr": learning_rate * scale, "scale": scale})
    return groups


def follow_schedule(agent: Any, optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Gives `optimizers`, and the objectives' where there is one, the rate that the agent's schedule says now."""
    rate = agent.lr_schedule(agent._current_progress_remaining)
    agent.logger.record("train/learning_rate", rate)
    heads = None if agent.learner is None else agent.learner.optimizer
    set_learning_rates([*optimizers, *([] if heads is None else [heads])], rate)


def step(
    loss: Tensor,
    optimizer: torch.optim.Optimizer,
    learner: RepresentationLearner | None,
    *,
    max_grad_norm: float | None,
) -> None:
    """Moves what `optimizer` has, and the heads of the objectives where `loss` includes theirs, down the gradient.

    Args:
        loss: [].
        optimizer: of encoder and heads.
        learner: whose loss is part of `loss`; None where none is.
        max_grad_norm: of all that `optimizer` has, together.
    """
    optimizer.zero_grad()
    if learner is not None:
        learner.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if max_grad_norm is not None:
        trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(trained, max_grad_norm)
    optimizer.step()
    if learner is not None:
        learner.step()
