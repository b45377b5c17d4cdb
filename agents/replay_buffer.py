"""The replay under stable-baselines3's own agents: every frame stored once, n-step returns for Dict observations too.

SAC("MultiInputPolicy", vec_env, replay_buffer_class=ReplayBuffer, replay_buffer_kwargs={"frame_stack": 3})
"""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common import buffers
from stable_baselines3.common.type_aliases import DictReplayBufferSamples, ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from robossl.agents.experience import make_replay, require_experience, store_step
from robossl.agents.observations import is_stacked, time_limits
from robossl.core import Obs, UserError
from robossl.data.columns import torch_dtype
from robossl.data.replay import Replay

_ONLY = "obs"  # the key of observations that are no Dict
_COLOUR_CHANNELS = (3, 4)  # of a single frame


class ReplayBuffer(buffers.ReplayBuffer):
    """stable-baselines3's `ReplayBuffer` and `DictReplayBuffer` over a `Replay`.

    A step's next observation is the observation of the next call of `add`, so the newest steps of running episodes can
    be sampled one call later. Where that observation is another one, the worlds were reset from outside: their episodes
    are cut there, without their newest steps. `pos` and `full` are not kept.

    Args:
        buffer_size: observations of all worlds together: each step takes one, and each ended episode one more.
        observation_space: a Box or a Dict of Boxes.
        action_space: any that the agent takes.
        device: where it lies and batches come from.
        n_envs: N.
        optimize_memory_usage: refused; nothing is stored twice anyway.
        handle_timeout_termination: whether episodes cut by a time limit are bootstrapped.
        frame_stack: how many frames a colour picture stacks in the environment; they are stored single.
        n_steps: rewards summed by `sample`.
        gamma: discount of those sums, the agent's; without effect for one step.
        seed: of the batches drawn; torch's where None, which the agent has set to its own.

    Attributes:
        replay: the experience, which `save` and `load` without pickle.

    Raises:
        UserError: if the spaces do not fit, or the buffer does not fit into memory.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        *,
        frame_stack: int = 1,
        n_steps: int = 1,
        gamma: float = 0.99,
        seed: int | None = None,
    ) -> None:
        if optimize_memory_usage:
            raise UserError("this replay buffer stores nothing twice: leave optimize_memory_usage out")
        super(buffers.ReplayBuffer, self).__init__(
            max(buffer_size // n_envs, 1), observation_space, action_space, device, n_envs
        )
        self.optimize_memory_usage = False
        self.handle_timeout_termination = handle_timeout_termination
        self.frame_stack, self.n_steps, self.gamma = frame_stack, n_steps, gamma
        self._space = _as_dict_space(observation_space)
        _require_stacks(self._space, frame_stack)
        self._action_dtype = torch_dtype(str(np.dtype(self._maybe_cast_dtype(action_space.dtype))))
        self._generator = torch.Generator(self.device).manual_seed(torch.initial_seed() if seed is None else seed)
        self.reset()

    def reset(self) -> None:
        """Forgets everything but the generator's state."""
        super().reset()
        self.replay: Replay = make_replay(
            self._space,
            self.action_dim,
            buffer_size=self.buffer_size * self.n_envs,
            num_worlds=self.n_envs,
            frame_stack=self.frame_stack,
            n_steps=self.n_steps,
            gamma=self.gamma,
            device=self.device,
        )
        self._running = np.zeros(self.n_envs, bool)
        self._expected: Obs = {}

    def size(self) -> int:
        """Returns the number of transitions per world that can be sampled."""
        return len(self.replay) // self.n_envs

    def add(
        self,
        obs: Any,
        next_obs: Any,
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Stores one step of all worlds, as SB3's agents hand it over.

        Args:
            obs: {key: [N, ...]} or [N, ...].
            next_obs: the same; of worlds that are done the last observation.
            action: [N, ...].
            reward: [N].
            done: [N].
            infos: N; `TimeLimit.truncated` tells which episodes were only cut.

        Raises:
            UserError: if an episode does not begin with its first frame repeated.
        """
        obs, next_obs = self._as_dict(obs), self._as_dict(next_obs)
        if any(not np.array_equal(obs[key][self._running], self._expected[key]) for key in self._expected):
            self.replay.end_episodes()
            self._running[:] = False
        self._require_repeated(obs, ~self._running)
        done = np.asarray(done, bool)
        cut = time_limits(infos) if self.handle_timeout_termination else np.zeros_like(done)
        action = np.asarray(action).reshape(self.n_envs, self.action_dim)
        store_step(self.replay, obs, action, reward, done, cut, {key: value[done] for key, value in next_obs.items()})
        self._running = ~done
        self._expected = {key: value[self._running] for key, value in next_obs.items()}

    def sample(  # type: ignore[override]
        self, batch_size: int, env: VecNormalize | None = None
    ) -> ReplayBufferSamples | DictReplayBufferSamples:
        """Draws transitions uniformly, with replacement; rewards are normalised as `env` does now.

        Raises:
            UserError: if there is none yet, or observations or sums of rewards are to be normalised.
        """
        if env is not None and env.norm_obs:
            raise UserError(
                "this replay buffer takes no VecNormalize of observations, which come as they were stored: make it with"
                " norm_obs=False"
            )
        if env is not None and env.norm_reward and self.n_steps > 1:
            raise UserError(
                "VecNormalize clips rewards one by one, this replay buffer sums them: n_steps must be 1, got"
                f" {self.n_steps}"
            )
        require_experience(self.replay)
        batch = self.replay.sample(batch_size, self._generator)
        is_dict = isinstance(self.observation_space, spaces.Dict)
        samples: Any = DictReplayBufferSamples if is_dict else ReplayBufferSamples
        return samples(  # type: ignore[no-any-return]
            observations=batch.obs if is_dict else batch.obs[_ONLY],
            actions=batch.action.to(self._action_dtype),
            next_observations=batch.next_obs if is_dict else batch.next_obs[_ONLY],
            dones=(batch.discount == 0).float()[:, None],
            rewards=self._rewards(batch.reward, env)[:, None],
            discounts=None if self.n_steps == 1 else batch.discount[:, None],  # else the agent's own gamma holds
        )

    def _rewards(self, reward: torch.Tensor, env: VecNormalize | None) -> torch.Tensor:
        return reward if env is None else self.to_torch(env.normalize_reward(reward.cpu().numpy()))

    def _as_dict(self, obs: Any) -> Obs:
        return obs if isinstance(self.observation_space, spaces.Dict) else {_ONLY: obs}

    def _require_repeated(self, obs: Obs, first: NDArray[np.bool_]) -> None:
        """Checks the stacks of worlds whose episodes begin: they are not stored but made again when sampled."""
        for key, box in self._space.items():
            if self.frame_stack > 1 and is_stacked(box.shape or (), str(box.dtype)) and first.any():
                frames = obs[key][first].reshape(int(first.sum()), self.frame_stack, -1)
                if not (frames == frames[:, -1:]).all():
                    raise UserError(
                        f"observation {key!r} does not begin an episode with its first frame repeated: its"
                        f" {len(obs[key][0])} channels are not the {self.frame_stack} frames of frame_stack, or are"
                        " padded with something else"
                    )


def _as_dict_space(space: spaces.Space[Any]) -> spaces.Dict:
    wrapped = space if isinstance(space, spaces.Dict) else spaces.Dict({_ONLY: space})
    if not all(isinstance(box, spaces.Box) for box in wrapped.values()):
        raise UserError(f"this replay buffer takes a Box or a Dict of Boxes as observations, got {space}")
    return wrapped


def _require_stacks(space: spaces.Dict, frame_stack: int) -> None:
    """Checks what stacks of colour pictures show of themselves: that they are of `frame_stack` frames.

    One picture's red, green and blue could pass for three frames. Stacks taken for single frames are only not saved.
    """
    for key, box in space.items():
        channels = (box.shape or (0,))[0]
        is_colour = key.startswith("rgb_") and is_stacked(box.shape or (), str(box.dtype)) and channels % 3 == 0
        if frame_stack > 1 and is_colour and channels // frame_stack not in _COLOUR_CHANNELS:
            raise UserError(
                f"observation {key!r} has {channels} channels: the environment's frame_stack is {channels // 3}, this"
                f" replay buffer's is {frame_stack}"
            )
