"""From SB3's steps to the replay: frames single, last observations where episodes end."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from robossl.agents.memory import require_memory
from robossl.agents.observations import final_observations, newest_frames, single_frames
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


def store_step(
    replay: Replay,
    space: spaces.Dict,
    obs: Obs,
    action: Array,
    reward: Array,
    dones: NDArray[np.bool_],
    infos: list[dict[str, Any]],
) -> None:
    """Stores what a VecEnv with spaces `space` answered to `action` [N, A], chosen from `obs` {key: [N, ...]}."""
    final_ids = np.flatnonzero(dones)
    truncated = np.zeros(len(dones), bool)
    truncated[final_ids] = [infos[i].get("TimeLimit.truncated", False) for i in final_ids]
    final_obs = final_observations(infos, final_ids, space)
    obs, final_obs = (newest_frames(each, replay.observation) for each in (obs, final_obs))
    replay.add(obs, action, reward, dones & ~truncated, truncated, final_ids, final_obs)
