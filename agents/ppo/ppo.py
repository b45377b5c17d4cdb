"""Proximal policy optimisation (arXiv 1707.06347) from pixels: shared encoder, random shifts, auxiliary losses."""

import time
from typing import Any, ClassVar

import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import FloatSchedule, explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from robossl.agents import state
from robossl.agents.augmentation import augmented
from robossl.agents.construction import build_agent
from robossl.agents.encoder_options import Representation
from robossl.agents.mean_action import MeanAction
from robossl.agents.observations import encode, final_observations, time_limits, to_tensors
from robossl.agents.optimisation import follow_schedule, step
from robossl.agents.ppo import losses
from robossl.agents.ppo.config import PPOConfig
from robossl.agents.ppo.policy import PPOPolicy
from robossl.agents.ppo.rollout_buffer import RolloutBuffer
from robossl.core import Obs, Tree, UserError
from robossl.nets.means import Means
from robossl.nets.optimisers import make_recordable
from robossl.nets.recorded import Recorded, generators_of
from robossl.objectives import RepresentationLearner

_REFUSED = ("rollout_buffer_class", "rollout_buffer_kwargs", "use_sde")


class PPO(stable_baselines3.PPO):
    """stable-baselines3's PPO with another policy, rollout buffer and update.

    Actor and critic share the encoder and train it together. Observations are a Dict, actions lie in [-1, 1]. Batches
    are augmented alike for actor and critic, against log-probabilities of the observations as seen (RAD, arXiv
    2004.14990). The statistics that normalise vectors move between rollouts only. On a GPU updates are recorded (see
    `Recorded`) unless `target_kl` is set: of the numbers that say how, only rates and clips may change in a run.

    Args:
        policy: "MultimodalPolicy".
        env: a VecEnv.
        learning_rate: see `PPOConfig`, as all of `sb3`, which has SB3's names and defaults.
        representation: encoder, objectives and augmentation.
        aux_interval, aux_batch_size: see `PPOConfig`.

    Attributes:
        replay: always None.
        perf: seconds spent so far: {"act", "update"}.

    Raises:
        UserError: if the spaces do not fit, a rollout does not fit into memory, or is too short for the objectives.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MultimodalPolicy": PPOPolicy}
    observation_space: spaces.Dict
    _last_obs: Any
    clip_range: FloatSchedule
    clip_range_vf: FloatSchedule | None
    policy: PPOPolicy  # type: ignore[assignment]
    rollout_buffer: RolloutBuffer  # type: ignore[assignment]
    learner: RepresentationLearner | None
    generator: torch.Generator
    replay = None

    def __init__(
        self,
        policy: str | type[PPOPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 3e-4,
        *,
        representation: Representation | None = None,
        aux_interval: int = 1,
        aux_batch_size: int = 64,
        **sb3: Any,
    ) -> None:
        for name in _REFUSED:
            if sb3.get(name):
                raise TypeError(f"robossl's PPO takes no {name}")
        self.representation = representation or Representation()
        self.aux_interval, self.aux_batch_size = aux_interval, aux_batch_size
        self.perf = {"act": 0.0, "update": 0.0}
        self._num_batches = 0  # learned from in the whole run; SB3's `_n_updates` counts passes over rollouts
        super().__init__(policy, env, learning_rate, **sb3)  # type: ignore[arg-type]

    @classmethod
    def from_config(
        cls,
        config: PPOConfig,
        vec_env: VecEnv,
        *,
        representation: Representation | None = None,
        seed: int | None = 0,
        **sb3: Any,
    ) -> "PPO":
        """Builds the agent; `sb3` is what `PPOConfig` leaves out: device, tensorboard_log, verbose."""
        return cls("MultimodalPolicy", vec_env, representation=representation, seed=seed, **config.arguments(), **sb3)

    def collect_rollouts(  # type: ignore[override]
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Fills the buffer with `n_rollout_steps` steps of every world; False where the callback ended it early."""
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()
        new_obs: Any = self._last_obs
        for _ in range(n_rollout_steps):
            actions, values, log_probs = self._act()
            new_obs, rewards, dones, infos = env.step(np.clip(actions, -1.0, 1.0))
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            rewards = self._bootstrapped(rewards, dones, infos)
            rollout_buffer.add(self._last_obs, actions, rewards, dones, values, log_probs)
            self._last_obs, self._last_episode_starts = new_obs, dones
        rollout_buffer.compute_returns_and_advantage(self._values(new_obs))
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Updates encoder, actor and critic from the rollout, `n_epochs` times over."""
        start = time.perf_counter()
        self.policy.set_training_mode(True)
        self._update_learning_rate([])
        clips = self._clip(self.clip_range), None if self.clip_range_vf is None else self._clip(self.clip_range_vf)
        means = Means()
        for _ in range(self.n_epochs):
            self._n_updates += 1
            for rows in self.rollout_buffer.shuffled(self.batch_size, self.generator):
                with_objectives = self.learner is not None and self._num_batches % self.aux_interval == 0
                if self.target_kl is None:
                    means.add(self._recorded(self._improve, rows, with_objectives, *clips))
                else:
                    loss, metrics = self._loss(rows, *clips)
                    means.add(metrics)
                    if float(metrics["train/approx_kl"]) > 1.5 * self.target_kl:
                        return self._finish(means, start)
                    means.add(self._step(loss, with_objectives=with_objectives))
                self._num_batches += 1
        return self._finish(means, start)

    def features(self, obs: Obs) -> NDArray[np.float32]:
        """Returns the encoder's features [N, D] of observations {key: [N, ...]} as `predict` takes them."""
        return encode(self.policy.encoder, obs, self.device)

    def export_module(self) -> MeanAction:
        """Returns a copy that maps {key: [B, ...]} to the mean action [B, A] in [-1, 1]."""
        return MeanAction(self.policy)

    def get_state(self) -> Tree:
        """Returns all but the global generators, so that `set_state` continues bit for bit."""
        return {**state.agent_state(self, {"policy": self.policy.optimizer}), "num_batches": self._num_batches}

    def set_state(self, tree: Tree) -> None:
        """Puts back what `get_state` returned.

        Raises:
            UserError: if it was taken from another kind of agent, or one with other networks or objectives.
        """
        state.restore_agent(self, {"policy": self.policy.optimizer}, tree)
        self._num_batches = int(tree.get("num_batches", 0))  # runs begun before this was kept go on
        self._recorded.forget()

    def set_parameters(self, *arguments: Any, **options: Any) -> None:
        """See SB3; it replaces tensors that recorded updates know."""
        super().set_parameters(*arguments, **options)
        self._prepare_recording()

    def _prepare_recording(self) -> None:
        if self.target_kl is None:  # else updates are not recorded
            make_recordable([self.policy.optimizer], self.device)
        self._recorded = Recorded(self.device, generators_of(self))

    def _setup_model(self) -> None:
        build_agent(self, **self.policy_kwargs)
        self._prepare_recording()
        self.clip_range = FloatSchedule(self.clip_range)
        self.clip_range_vf = None if self.clip_range_vf is None else FloatSchedule(self.clip_range_vf)
        if self.learner is not None and self.learner.window > self.n_steps:
            raise UserError(f"objectives need windows of {self.learner.window} steps; agent.n-steps is {self.n_steps}")
        self.rollout_buffer = RolloutBuffer(
            self.n_steps,
            self.observation_space,
            get_action_dim(self.action_space),
            num_worlds=self.n_envs,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
            device=self.device,
            frame_stack=int(getattr(self.env, "frame_stack", 1)),
        )

    def _act(self) -> tuple[NDArray[np.float32], Tensor, Tensor]:
        """Returns unclipped actions [N, A], values [N] and log-probabilities [N] of the last observations."""
        start = time.perf_counter()
        with torch.no_grad():
            actions, values, log_probs = self.policy(to_tensors(self._last_obs, self.device), generator=self.generator)
        result = actions.cpu().numpy(), values, log_probs
        self.perf["act"] += time.perf_counter() - start
        return result

    def _values(self, obs: Any) -> Tensor:
        start = time.perf_counter()
        with torch.no_grad():
            values = self.policy.predict_values(to_tensors(obs, self.device))
        self.perf["act"] += time.perf_counter() - start
        return values

    def _bootstrapped(
        self, rewards: NDArray[np.float32], dones: NDArray[np.bool_], infos: list[dict[str, Any]]
    ) -> NDArray[np.float32]:
        """Adds to the reward [N] of a truncated episode what its last observation was still worth."""
        truncated = np.flatnonzero(dones & time_limits(infos))
        if len(truncated) == 0:
            return rewards
        rewards = rewards.copy()
        values = self._values(final_observations(infos, truncated, self.observation_space))
        rewards[truncated] += self.gamma * values.cpu().numpy()
        return rewards

    def _improve(
        self, rows: Tensor, with_objectives: bool, clip_range: float, clip_range_vf: float | None
    ) -> dict[str, Tensor]:
        loss, metrics = self._loss(rows, clip_range, clip_range_vf)
        return {**metrics, **self._step(loss, with_objectives=with_objectives)}

    def _loss(self, rows: Tensor, clip_range: float, clip_range_vf: float | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the agent's own loss over rows [B] of the rollout."""
        batch = self.rollout_buffer.batch(rows)
        obs = augmented(batch.obs, self.representation.augment, self.generator)
        value, log_prob, entropy = self.policy.evaluate_actions(obs, batch.action)
        advantage = losses.normalized(batch.advantage) if self.normalize_advantage else batch.advantage
        policy_loss, moved = losses.policy_loss(log_prob - batch.old_log_prob, advantage, clip_range)
        value_loss = losses.value_loss(value, batch.old_value, batch.value_target, clip_range_vf)
        loss = policy_loss - self.ent_coef * entropy + self.vf_coef * value_loss
        metrics = {
            "policy_gradient_loss": policy_loss,
            "value_loss": value_loss,
            "entropy_loss": -entropy,
            "loss": loss,
            **moved,
        }
        return loss, {f"train/{name}": value for name, value in metrics.items()}

    def _step(self, loss: Tensor, *, with_objectives: bool) -> dict[str, Tensor]:
        """Moves everything down the gradient of the loss and, where they are added, of the objectives."""
        learner, metrics = self.learner if with_objectives else None, {}
        if learner is not None:
            windows = self.rollout_buffer.windows(self.aux_batch_size, learner.window, self.generator)
            aux_loss, aux_metrics = learner.loss(windows)
            metrics = {f"aux/{name}": value for name, value in aux_metrics.items()}
            loss = loss + aux_loss
        step(loss, self.policy.optimizer, learner, max_grad_norm=self.max_grad_norm)
        return metrics

    def _clip(self, schedule: Schedule) -> float:
        return schedule(self._current_progress_remaining)

    def _finish(self, means: Means, start: float) -> None:
        buffer, record = self.rollout_buffer, self.logger.record
        # not earlier: ratios compare with what the rollout's statistics gave
        self.policy.encoder.observe(buffer.vectors())
        for name, value in means.read().items():
            record(name, value)
        explained = explained_variance(buffer.value.flatten().cpu().numpy(), buffer.returns.flatten().cpu().numpy())
        record("train/explained_variance", explained)
        record("train/std", self.policy.log_std.detach().exp().mean().item())
        record("train/n_updates", self._n_updates, exclude="tensorboard")
        record("train/clip_range", self._clip(self.clip_range))
        if self.clip_range_vf is not None:
            record("train/clip_range_vf", self._clip(self.clip_range_vf))
        self.perf["update"] += time.perf_counter() - start

    def _update_learning_rate(self, optimizers: Any) -> None:
        follow_schedule(self, [self.policy.optimizer])

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "learner", "generator", "_recorded"]
