"""SAC's hyper-parameters, under stable-baselines3's names."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from robossl.agents.checks import require_at_least, require_finite, require_fraction, require_positive
from robossl.agents.optimisation import ScheduleName, make_schedule
from robossl.agents.pink_noise import NoiseColour
from robossl.core import UserError

_POLICY = ("hidden", "num_critics", "critic_layer_norm")  # what `SACPolicy` takes


@dataclass(frozen=True, slots=True, kw_only=True)
class SACConfig:
    """Chooses and sizes soft actor-critic.

    Attributes:
        learning_rate: of actor, critic and temperature; of the encoder and the objectives' heads where they have none
            of their own.
        learning_rate_schedule: constant, or linear to 0 at the end of the run.
        buffer_size: observations kept, of all worlds together.
        learning_starts: steps of all worlds together with random actions, before the first update.
        batch_size: transitions per update.
        tau: how far the target critic moves towards the critic.
        gamma: discount.
        train_freq: steps of every world between updates.
        gradient_steps: updates then.
        n_steps: rewards summed before bootstrapping.
        ent_coef: fixed weight of the entropy; learned where None.
        ent_coef_init: where learning starts.
        target_entropy: what the entropy is held at; minus the number of actions where None.
        target_update_interval: updates between moves of the target critic.
        policy_frequency: updates of the critic per update of actor and temperature.
        noise: around the mean action while experience is gathered: white, or pink, which also sways slowly and so
            explores farther.
        hidden: hidden layers of actor and critics.
        num_critics: the target is the least of so many.
        critic_layer_norm: the critics' hidden layers are normalised, unless switched off: steadier with many updates
            per step.
        max_grad_norm: clips the gradient of critics and encoder; not clipped where None.
        aux_interval: updates between those that add the auxiliary objectives.
        aux_batch_size: windows per auxiliary loss.
        stats_window_size: episodes that rollout statistics are means of.
    """

    kind: Literal["sac"] = "sac"
    learning_rate: float = 3e-4
    learning_rate_schedule: ScheduleName = "constant"
    buffer_size: int = 100_000
    learning_starts: int = 1_000
    batch_size: int = 256
    tau: float = 0.005
    gamma: float = 0.99
    train_freq: int = 1
    gradient_steps: int = 1
    n_steps: int = 1
    ent_coef: float | None = None
    ent_coef_init: float = 1.0
    target_entropy: float | None = None
    target_update_interval: int = 1
    policy_frequency: int = 1
    noise: NoiseColour = "white"
    hidden: tuple[int, ...] = (256, 256)
    num_critics: int = 2
    critic_layer_norm: bool = True
    max_grad_norm: float | None = None
    aux_interval: int = 1
    aux_batch_size: int = 64
    stats_window_size: int = 100

    def __post_init__(self) -> None:
        """Checks the numbers."""
        require_positive(self, "learning_rate", "ent_coef_init", "max_grad_norm")
        require_fraction(self, "gamma", "tau")
        require_finite(self, "learning_rate", "ent_coef", "ent_coef_init", "target_entropy")
        require_at_least(0, self, "learning_starts", "ent_coef")
        require_at_least(
            1, self, "buffer_size", "batch_size", "train_freq", "gradient_steps", "n_steps", "target_update_interval",
            "policy_frequency", "hidden", "num_critics", "aux_interval", "aux_batch_size", "stats_window_size",
        )  # fmt: skip

    def first_update(self, num_worlds: int) -> int:
        """Returns after how many steps of all worlds together learning begins.

        Raises:
            UserError: if no transition is complete by then, which takes two steps of a world.
        """
        rollout = self.train_freq * num_worlds
        first = (self.learning_starts // rollout + 1) * rollout
        if first < 2 * num_worlds:
            raise UserError(
                f"agent.learning-starts must be at least the number of worlds, {num_worlds}, got {self.learning_starts}"
            )
        return first

    def arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `SAC` that say the same."""
        changed = ("kind", "learning_rate", "learning_rate_schedule", "ent_coef_init", *_POLICY)
        return {
            **{field.name: getattr(self, field.name) for field in fields(self) if field.name not in changed},
            "learning_rate": make_schedule(self.learning_rate, self.learning_rate_schedule),
            "ent_coef": f"auto_{self.ent_coef_init}" if self.ent_coef is None else self.ent_coef,
            "target_entropy": "auto" if self.target_entropy is None else self.target_entropy,
            "policy_kwargs": {name: getattr(self, name) for name in _POLICY},
        }
