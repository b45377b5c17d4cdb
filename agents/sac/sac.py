"""Soft actor-critic (arXiv 1812.05905) from pixels: shared encoder, random shifts, n-step returns, auxiliary losses."""

import time
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from robossl.agents import state
from robossl.agents.augmentation import augmented
from robossl.agents.construction import build_agent
from robossl.agents.encoder_options import Representation
from robossl.agents.experience import make_replay, require_experience, store_step
from robossl.agents.mean_action import MeanAction
from robossl.agents.observations import encode, final_observations, time_limits, to_tensors
from robossl.agents.optimisation import follow_schedule, step
from robossl.agents.pink_noise import NoiseColour
from robossl.agents.sac import losses
from robossl.agents.sac.config import SACConfig
from robossl.agents.sac.exploration import Exploration
from robossl.agents.sac.policy import Actor, Critic, SACPolicy
from robossl.core import Obs, Tree
from robossl.data.batches import TransitionBatch
from robossl.data.replay import Replay
from robossl.nets.means import Means
from robossl.nets.optimisers import adam, make_recordable
from robossl.nets.recorded import Recorded, generators_of
from robossl.objectives import RepresentationLearner

_REFUSED = ("action_noise", "replay_buffer_class", "replay_buffer_kwargs", "optimize_memory_usage", "use_sde")


class _Parts(NamedTuple):
    """What one update moves beside the critic and the encoder."""

    actor: bool
    target: bool
    objectives: bool


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Where in the replay an update's transitions begin, [B], and its windows for the objectives, where it has some."""

    transitions: Tensor
    windows: Tensor | None


class SAC(stable_baselines3.SAC):
    """stable-baselines3's SAC with another policy, replay and update.

    The encoder learns from the critic and the objectives only. On a GPU updates are recorded (see `Recorded`): of the
    numbers that say how, only learning rates may change in a run. Observations are a Dict, actions lie in [-1, 1].

    Args:
        policy: "MultimodalPolicy".
        env: a VecEnv; its attribute `frame_stack`, where it has one, tells how many frames a colour picture stacks.
        learning_rate: see `SACConfig`, as all of `sb3`, which has SB3's names and defaults.
        representation: encoder, objectives and augmentation.
        policy_frequency, aux_interval, aux_batch_size, max_grad_norm, noise: see `SACConfig`.

    Attributes:
        replay: the experience; not part of `get_state`, it saves and loads itself.
        perf: seconds spent so far: {"act", "update"}.

    Raises:
        UserError: if the spaces do not fit, or the replay does not fit into memory.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MultimodalPolicy": SACPolicy}
    observation_space: spaces.Dict
    action_space: spaces.Box
    _last_obs: Any
    policy: SACPolicy  # type: ignore[assignment]
    actor: Actor  # type: ignore[assignment]
    critic: Critic  # type: ignore[assignment]
    critic_target: Critic  # type: ignore[assignment]
    replay: Replay
    learner: RepresentationLearner | None
    generator: torch.Generator
    exploration: Exploration

    def __init__(
        self,
        policy: str | type[SACPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 3e-4,
        *,
        representation: Representation | None = None,
        policy_frequency: int = 1,
        aux_interval: int = 1,
        aux_batch_size: int = 64,
        max_grad_norm: float | None = None,
        noise: NoiseColour = "white",
        **sb3: Any,
    ) -> None:
        for name in _REFUSED:
            if sb3.get(name):
                raise TypeError(f"robossl's SAC takes no {name}")
        self.representation = representation or Representation()
        self.policy_frequency = policy_frequency
        self.aux_interval, self.aux_batch_size = aux_interval, aux_batch_size
        self.max_grad_norm = max_grad_norm
        self.noise = noise
        self.perf = {"act": 0.0, "update": 0.0}
        super().__init__(policy, env, learning_rate, **sb3)  # type: ignore[arg-type]

    @classmethod
    def from_config(
        cls,
        config: SACConfig,
        vec_env: VecEnv,
        *,
        representation: Representation | None = None,
        seed: int | None = 0,
        **sb3: Any,
    ) -> "SAC":
        """Builds the agent; `sb3` is what `SACConfig` leaves out: device, tensorboard_log, verbose."""
        return cls("MultimodalPolicy", vec_env, representation=representation, seed=seed, **config.arguments(), **sb3)

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Updates critic and encoder, actor and temperature, and the target critic, `gradient_steps` times."""
        start = time.perf_counter()
        require_experience(self.replay)
        self.policy.set_training_mode(True)
        self._update_learning_rate([])
        means = Means()
        drawn = self.replay.draw(gradient_steps * batch_size, self.generator)
        for transitions in drawn.view(gradient_steps, batch_size):
            self._n_updates += 1
            parts = _Parts(
                actor=self._n_updates % self.policy_frequency == 0,
                target=self._n_updates % self.target_update_interval == 0,
                objectives=self.learner is not None and self._n_updates % self.aux_interval == 0,
            )
            windows = self.replay.draw(self.aux_batch_size, self.generator) if parts.objectives else None
            means.add(self._recorded(self._update, _Drawn(transitions, windows), parts))
        for name, value in means.read().items():
            self.logger.record(name, value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.perf["update"] += time.perf_counter() - start

    def features(self, obs: Obs) -> NDArray[np.float32]:
        """Returns the encoder's features [N, D] of observations {key: [N, ...]} as `predict` takes them."""
        return encode(self.policy.encoder, obs, self.device)

    def export_module(self) -> MeanAction:
        """Returns a copy that maps {key: [B, ...]} to the mean action [B, A] in [-1, 1]."""
        return MeanAction(self.policy)

    def get_state(self) -> Tree:
        """Returns all but the replay and the global generators, so that `set_state` continues bit for bit."""
        return {
            **state.agent_state(self, self._optimizers()),
            **self.exploration.get_state(),
            "log_ent_coef": state.tensor_copy(self.log_ent_coef),
        }

    def set_state(self, tree: Tree) -> None:
        """Puts back what `get_state` returned.

        Raises:
            UserError: if it was taken from another kind of agent, or one with other networks, objectives or noise.
        """
        state.require_alike(self, tree)
        self.exploration.require_alike(tree)
        state.restore_agent(self, self._optimizers(), tree)
        self._recorded.forget()
        if self.log_ent_coef is not None:
            self.log_ent_coef.data.copy_(tree["log_ent_coef"])
        self.exploration.set_state(tree)

    def set_parameters(self, *arguments: Any, **options: Any) -> None:
        """See SB3; it replaces tensors that recorded updates know."""
        super().set_parameters(*arguments, **options)
        self._prepare_recording()

    def _prepare_recording(self) -> None:
        make_recordable(self._optimizers().values(), self.device)
        self._recorded = Recorded(self.device, generators_of(self))

    def _setup_model(self) -> None:
        seeds = build_agent(self, **{name: value for name, value in self.policy_kwargs.items() if name != "use_sde"})
        num_actions = get_action_dim(self.action_space)
        self.exploration = Exploration(
            self.n_envs, num_actions, self.noise, generator=self.generator, seed=seeds.warmup
        )
        self._create_aliases()
        self._convert_train_freq()
        self._setup_temperature()
        self._prepare_recording()
        if self.env is not None:
            self.replay = make_replay(
                self.observation_space,
                num_actions,
                buffer_size=self.buffer_size,
                num_worlds=self.n_envs,
                frame_stack=int(getattr(self.env, "frame_stack", 1)),
                n_steps=self.n_steps,
                gamma=self.gamma,
                device=self.device,
            )

    def _setup_temperature(self) -> None:
        if self.target_entropy == "auto":
            self.target_entropy = -float(get_action_dim(self.action_space))
        if isinstance(self.ent_coef, str) and self.ent_coef.startswith("auto"):
            initial = float(self.ent_coef.partition("_")[2] or 1.0)
            self.log_ent_coef = torch.full((1,), initial, device=self.device).log().requires_grad_(True)
            self.ent_coef_optimizer = adam([self.log_ent_coef], self.lr_schedule(1.0))
        else:
            self.ent_coef_tensor = torch.tensor(float(self.ent_coef), device=self.device)

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        *rest: Any,
        **more: Any,
    ) -> Any:
        if reset_num_timesteps or self._last_obs is None:
            self.replay.end_episodes()  # SB3 is about to reset the worlds
        return super()._setup_learn(total_timesteps, callback, reset_num_timesteps, *rest, **more)

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        start = time.perf_counter()
        if self.num_timesteps < learning_starts:
            action = self.exploration.uniform()
        else:
            obs, noise = to_tensors(self._last_obs, self.device), self.exploration.normal()
            with torch.no_grad():
                action = self.policy.act(obs, deterministic=False, generator=self.generator, noise=noise).cpu().numpy()
        self.perf["act"] += time.perf_counter() - start
        return action, action

    def _store_transition(
        self,
        replay_buffer: Any,
        buffer_action: NDArray[np.float32],
        new_obs: Any,
        reward: NDArray[np.float32],
        dones: NDArray[np.bool_],
        infos: list[dict[str, Any]],
    ) -> None:
        final_obs = final_observations(infos, np.flatnonzero(dones), self.observation_space)
        store_step(self.replay, self._last_obs, buffer_action, reward, dones, time_limits(infos), final_obs)
        self._last_obs = new_obs

    def _encode(self, batch: TransitionBatch) -> tuple[Tensor, Tensor]:
        """Returns features [B, D] of this and the next observation; the latter without gradient."""
        encoder, augment = self.policy.encoder, self.representation.augment
        encoder.observe(batch.obs)
        features = encoder(augmented(batch.obs, augment, self.generator))
        with torch.no_grad():
            next_features = encoder(augmented(batch.next_obs, augment, self.generator))
        return features, next_features

    def _update(self, drawn: _Drawn, parts: _Parts) -> dict[str, Tensor]:
        batch = self.replay.transitions(drawn.transitions)
        features, next_features = self._encode(batch)
        metrics = self._update_critic(batch, features, next_features, drawn.windows)
        if parts.actor:
            metrics |= self._update_actor(features.detach())
        if parts.target:
            polyak_update(self.critic.parameters(), self.critic_target.parameters(), self.tau)
        return metrics

    def _update_critic(
        self, batch: TransitionBatch, features: Tensor, next_features: Tensor, windows: Tensor | None
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            next_action, next_log_prob = self.actor.sample(next_features, self.generator)
            next_q = self.critic_target(next_features, next_action)
            target = losses.soft_target(batch.reward, batch.discount, next_q, next_log_prob, self._alpha())
        loss = losses.critic_loss(self.critic(features, batch.action), target)
        metrics = {"train/critic_loss": loss}
        learner = self.learner if windows is not None else None
        if learner is not None and windows is not None:
            aux_loss, aux_metrics = learner.loss(self.replay.windows(windows, learner.window))
            metrics |= {f"aux/{name}": value for name, value in aux_metrics.items()}
            loss = loss + aux_loss
        step(loss, self.critic.optimizer, learner, max_grad_norm=self.max_grad_norm)
        return metrics

    def _update_actor(self, features: Tensor) -> dict[str, Tensor]:
        """Updates actor and temperature from features [B, D] that carry no gradient."""
        action, log_prob = self.actor.sample(features, self.generator)
        alpha = self._alpha()
        loss = losses.actor_loss(self.critic(features, action), log_prob, alpha)
        self.actor.optimizer.zero_grad()
        loss.backward(inputs=list(self.actor.parameters()))  # type: ignore[no-untyped-call]
        self.actor.optimizer.step()
        metrics = {"train/actor_loss": loss, "train/ent_coef": alpha}
        if self.log_ent_coef is not None and self.ent_coef_optimizer is not None:
            alpha_loss = losses.temperature_loss(self.log_ent_coef, log_prob, float(self.target_entropy))
            self.ent_coef_optimizer.zero_grad()
            alpha_loss.backward()  # type: ignore[no-untyped-call]
            self.ent_coef_optimizer.step()
            metrics["train/ent_coef_loss"] = alpha_loss
        return metrics

    def _alpha(self) -> Tensor:
        return self.ent_coef_tensor if self.log_ent_coef is None else self.log_ent_coef.detach().exp()

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        optimizers = {"actor": self.actor.optimizer, "critic": self.critic.optimizer}
        return optimizers if self.ent_coef_optimizer is None else {**optimizers, "ent_coef": self.ent_coef_optimizer}

    def _update_learning_rate(self, optimizers: Any) -> None:
        follow_schedule(self, self._optimizers().values())

    def _excluded_save_params(self) -> list[str]:
        names = ["actor", "critic", "critic_target", "replay", "learner", "generator", "exploration", "_recorded"]
        return [*super()._excluded_save_params(), *names]
