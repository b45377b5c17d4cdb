"""From SB3's steps to the replay: frames single, last observations where episodes end."""

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from robossl.agents.memory import require_memory
from robossl.agents.observations import newest_frames, single_frames
from robossl.core import Array, Obs, UserError
from robossl.data.replay import Replay

_LINK_BYTES = 24  # what a slot takes beside observation and action: links, reward and flag


def make_replay(
    space: spaces.Dict,
    action_dim: int,
    *,
    buffer_size: int,
    num_worlds: int,
    frame_stack: int,
    n_steps: int,
    gamma: float,
    device: torch.device,
) -> Replay:
    """Builds an empty replay of `buffer_size` slots.

    Raises:
        UserError: if it does not fit into memory, or is too small for the worlds.
    """
    frames = single_frames(space, frame_stack)
    slot_bytes = sum(spec.num_bytes for spec in frames.values()) + 4 * action_dim + _LINK_BYTES
    require_memory(buffer_size * slot_bytes, device, what=f"agent.buffer-size {buffer_size:,}")
    try:
        return Replay(
            buffer_size,
            frames,
            action_dim,
            num_worlds=num_worlds,
            frame_stack=frame_stack,
            n_step=n_steps,
            gamma=gamma,
            device=device,
        )
    except ValueError as error:
        raise UserError(f"agent.buffer-size {buffer_size:,}: {error}") from error


def require_experience(replay: Replay) -> None:
    """Checks that there is something to sample.

    Raises:
        UserError: if updates began before the first transition was complete.
    """
    if len(replay) == 0:
        raise UserError(
            f"there is no complete transition to learn from yet: learning_starts must be at least {replay.num_worlds}"
        )


def store_step(
    replay: Replay,
    obs: Obs,
    action: Array,
    reward: Array,
    dones: NDArray[np.bool_],
    time_limit: NDArray[np.bool_],
    final_obs: Obs,
) -> None:
    """Stores what a VecEnv answered to an action.

    Args:
        replay: where.
        obs: {key: [N, ...]}, what the actions were chosen from, frames stacked.
        action: [N, A].
        reward: [N].
        dones: [N].
        time_limit: [N], where an episode that is done was only cut.
        final_obs: {key: [K, ...]}, the last observations of the K worlds that are done, frames stacked.
    """
    obs, final_obs = (newest_frames(each, replay.observation) for each in (obs, final_obs))
    truncated = dones & time_limit
    replay.add(obs, action, reward, dones & ~truncated, truncated, np.flatnonzero(dones), final_obs)
