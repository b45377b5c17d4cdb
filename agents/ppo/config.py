"""PPO's hyper-parameters, under stable-baselines3's names."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from robossl.agents.checks import require_at_least, require_fraction, require_positive
from robossl.agents.optimisation import ScheduleName, make_schedule

_POLICY = ("hidden", "log_std_init")  # what `PPOPolicy` takes


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOConfig:
    """Chooses and sizes proximal policy optimisation.

    Attributes:
        learning_rate: of actor and critic; of the encoder and the objectives' heads where they have none of their own.
        learning_rate_schedule: constant, or linear to 0 at the end of the run.
        n_steps: steps of every world per rollout.
        batch_size: steps per update.
        n_epochs: passes over a rollout.
        gamma: discount.
        gae_lambda: between one-step (0) and Monte Carlo (1) advantages.
        clip_range: how far the ratio of probabilities may move.
        clip_range_vf: how far a value may move, in units of the return; not limited where None.
        normalize_advantage: each batch's advantages get mean 0 and standard deviation 1, unless switched off.
        ent_coef: weight of the entropy.
        vf_coef: weight of the value loss.
        max_grad_norm: clips the gradient of everything but the objectives' heads.
        target_kl: ends a rollout's updates once the policy has moved 1.5 times as far; never where None.
        hidden: hidden layers of actor and critic.
        log_std_init: where the logarithm of the actions' standard deviation starts.
        aux_interval: updates between those that add the auxiliary objectives.
        aux_batch_size: windows per auxiliary loss.
        stats_window_size: episodes that rollout statistics are means of.
    """

    kind: Literal["ppo"] = "ppo"
    learning_rate: float = 3e-4
    learning_rate_schedule: ScheduleName = "constant"
    n_steps: int = 128
    batch_size: int = 256
    n_epochs: int = 4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_vf: float | None = None
    normalize_advantage: bool = True
    ent_coef: float = 0.0
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None
    hidden: tuple[int, ...] = (64, 64)
    log_std_init: float = 0.0
    aux_interval: int = 1
    aux_batch_size: int = 64
    stats_window_size: int = 100

    def __post_init__(self) -> None:
        """Checks the numbers."""
        require_positive(self, "learning_rate", "clip_range", "clip_range_vf", "max_grad_norm", "target_kl")
        require_fraction(self, "gamma", "gae_lambda")
        require_at_least(0, self, "ent_coef", "vf_coef")
        require_at_least(
            1, self, "n_steps", "n_epochs", "hidden", "aux_interval", "aux_batch_size", "stats_window_size"
        )
        require_at_least(2, self, "batch_size")

    def arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `PPO` that say the same."""
        changed = ("kind", "learning_rate_schedule", *_POLICY)
        return {
            **{field.name: getattr(self, field.name) for field in fields(self) if field.name not in changed},
            "learning_rate": make_schedule(self.learning_rate, self.learning_rate_schedule),
            "policy_kwargs": {name: getattr(self, name) for name in _POLICY},
        }
