"""Objectives at work on one encoder: alone in pretraining, beside an agent's loss as auxiliaries."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from robossl.core import Tree
from robossl.core.errors import UserError
from robossl.data.batches import WindowBatch
from robossl.nets import MultimodalEncoder, seeded_init
from robossl.nets.optimisers import adam, make_recordable, set_learning_rates
from robossl.nets.recorded import Recorded
from robossl.objectives.choice import ObjectiveConfig, make_objective, require_batch_size
from robossl.objectives.optimizer_state import optimizer_tree, restore_optimizer


class RepresentationLearner:
    """Owns objectives, their optimiser and their randomness.

    In pretraining `update(batch)` does everything. As an auxiliary (`optimise_encoder=False`; the agent's optimiser
    has the encoder) an agent needs three lines around its own loss:

        aux_loss, metrics = learner.loss(windows)
        (rl_loss + aux_loss).backward()  # after `learner.zero_grad()` beside the agent's own
        learner.step()  # beside the agent's own

    Args:
        encoder: what is trained; already holding the weights it starts from, because targets are copied from it.
        objectives: configs of different kinds; may be empty for an auxiliary.
        action_dim: A.
        seed: of the heads' first weights and of all augmentation.
        device: where everything is moved to.
        learning_rate: of the heads, and of the encoder where it is optimised here.
        optimise_encoder: whether `step` moves the encoder too.
        max_grad_norm: of everything that `step` moves together; None does not clip.

    Raises:
        UserError: if a kind of objective is given twice, or none where nothing else trains the encoder.
    """

    def __init__(
        self,
        encoder: MultimodalEncoder,
        objectives: Sequence[ObjectiveConfig],
        action_dim: int,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        learning_rate: float = 1e-3,
        optimise_encoder: bool = True,
        max_grad_norm: float | None = 10.0,
    ) -> None:
        kinds = [config.kind for config in objectives]
        if len(set(kinds)) < len(kinds):
            raise UserError(f"every kind of objective can be given once, got {', '.join(kinds)}")
        if optimise_encoder and not kinds:
            raise UserError("an encoder is pretrained by objectives: give at least one")
        self.encoder = encoder.to(device)
        with seeded_init(seed):
            self.objectives = [make_objective(config, encoder, action_dim).to(device) for config in objectives]
        self.configs = tuple(objectives)
        self.generator = torch.Generator(device).manual_seed(seed)
        self.window = max((objective.window for objective in self.objectives), default=1)
        self.max_grad_norm = max_grad_norm
        self.optimise_encoder = optimise_encoder
        self._trained = [*self.head_parameters(), *(encoder.parameters() if optimise_encoder else ())]
        self.optimizer = adam(self._trained, learning_rate) if self._trained else None
        make_recordable([self.optimizer] if self.optimizer is not None else [], torch.device(device))
        self._recorded = Recorded(torch.device(device), [self.generator])

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Yields the trained parameters of the objectives, without the encoder's and without targets."""
        for objective in self.objectives:
            yield from (parameter for parameter in objective.parameters() if parameter.requires_grad)

    def require_windows(self, batch_size: int, longest_episode: int) -> None:
        """Checks that pretraining on episodes of up to `longest_episode` steps can train every objective.

        Raises:
            UserError: if batches are too small, or no episode is as long as an objective's window.
        """
        require_batch_size(self.configs, batch_size, what="pretrain.batch-size")
        for objective in self.objectives:
            if longest_episode < objective.window - 1:
                raise UserError(
                    f"{objective.name}: {objective.reach} needs episodes of at least {objective.window - 1} steps, "
                    f"and the longest of the data has {longest_episode}"
                )

    def loss(self, batch: WindowBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the weighted sum of the objectives' losses and detached 0-d metrics.

        Metrics hold each unweighted loss as `<objective>_loss` and what the objectives add, NaN where the batch has too
        few windows for the objective, and as `<objective>_usable` the share of the batch that it learns from.

        Raises:
            ValueError: if the windows are too short.
        """
        if batch.mask.shape[1] < self.window:
            raise ValueError(f"windows have {batch.mask.shape[1]} steps, the objectives need {self.window}")
        total = torch.zeros((), device=batch.device)
        metrics: dict[str, Tensor] = {}
        for config, objective in zip(self.configs, self.objectives, strict=True):
            loss, details = objective(self.encoder, batch, self.generator)
            total = total + config.weight * loss
            usable = objective.usable(batch.mask)
            enough = usable.sum() >= config.min_windows
            for name, value in {f"{objective.name}_loss": loss.detach(), **details}.items():
                metrics[name] = torch.where(enough, value, math.nan)
            metrics[f"{objective.name}_usable"] = usable.float().mean()
        return total, metrics

    def zero_grad(self) -> None:
        """Forgets the gradients of what `step` moves."""
        if self.optimizer is not None:
            self.optimizer.zero_grad()

    def step(self) -> None:
        """Clips gradients, moves the heads (and the encoder where it is optimised here) and lets targets follow."""
        if self.optimizer is not None:
            if self.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(self._trained, self.max_grad_norm)
            self.optimizer.step()
        for objective in self.objectives:
            objective.after_step(self.encoder)

    def set_learning_rate(self, rate: float) -> None:
        """Gives everything that `step` moves this rate."""
        set_learning_rates([self.optimizer] if self.optimizer is not None else [], rate)

    def update(self, batch: WindowBatch) -> dict[str, Tensor]:
        """Makes one step of training and returns its metrics, which the next one overwrites."""
        return self._recorded(self._improve, batch)

    def _improve(self, batch: WindowBatch) -> dict[str, Tensor]:
        if self.optimise_encoder:
            self.encoder.observe(batch.step(0))
        total, metrics = self.loss(batch)
        self.zero_grad()
        torch.autograd.backward(total)
        self.step()
        return metrics

    def get_state(self) -> Tree:
        """Returns everything that the next update depends on, but for the data; tensors are copies."""
        return {
            "objectives": {objective.name: _copied(objective.state_dict()) for objective in self.objectives},
            "encoder": _copied(self.encoder.state_dict()) if self.optimise_encoder else {},
            "optimizer": optimizer_tree(self.optimizer) if self.optimizer is not None else {},
            "generator": self.generator.get_state(),
        }

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned.

        Raises:
            UserError: if it was taken from other objectives or another encoder.
        """
        try:
            for objective in self.objectives:
                objective.load_state_dict(state["objectives"][objective.name])
            if self.optimise_encoder:
                self.encoder.load_state_dict(state["encoder"])
            if self.optimizer is not None:
                restore_optimizer(self.optimizer, state["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"the state of the objectives does not fit this configuration: {reason}") from error
        self.generator.set_state(state["generator"].cpu())
        self._recorded.forget()


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}
