"""From SB3's spaces and arrays to what encoders, replay and networks take."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_wrapper

from robossl.core import ArraySpec, Obs, UserError
from robossl.nets import MultimodalEncoder, ObservationShapes


def require_supported(
    env: VecEnv | None, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
) -> None:
    """Checks that an agent can work here.

    Raises:
        UserError: unless observations are a Dict of Boxes, actions are vectors in [-1, 1] and nothing normalises them.
    """
    if env is not None and unwrap_vec_wrapper(env, VecNormalize) is not None:
        raise UserError("agents take no VecNormalize: the encoder normalises inside, the same for training and export")
    boxes = isinstance(observation_space, spaces.Dict) and all(
        isinstance(space, spaces.Box) for space in observation_space.values()
    )
    if not boxes:
        raise UserError(f"agents take observations as a Dict of Boxes, got {observation_space}")
    vector = isinstance(action_space, spaces.Box) and len(action_space.shape) == 1
    if not vector or not (np.all(action_space.low == -1) and np.all(action_space.high == 1)):  # type: ignore[attr-defined]
        raise UserError(f"agents take action spaces Box(-1, 1) of one dimension, got {action_space}")


def observation_shapes(space: spaces.Dict) -> ObservationShapes:
    """Returns {key: (shape, dtype)} as encoders take it."""
    return {key: (tuple(box.shape or ()), str(box.dtype)) for key, box in space.items()}


def single_frames(space: spaces.Dict, frame_stack: int) -> dict[str, ArraySpec]:
    """Returns the specs of single frames: stacked colour pictures [k * C, H, W] become [C, H, W].

    Raises:
        UserError: if the channels of a picture cannot be `frame_stack` frames.
    """
    specs = {}
    for key, (shape, dtype) in observation_shapes(space).items():
        if is_stacked(shape, dtype):
            if shape[0] % frame_stack:
                raise UserError(f"observation {key!r} has {shape[0]} channels: not a stack of {frame_stack} frames")
            shape = (shape[0] // frame_stack, *shape[1:])
        specs[key] = ArraySpec(shape=shape, dtype=dtype)
    return specs


def is_stacked(shape: tuple[int, ...], dtype: str) -> bool:
    """Tells whether an observation is a colour picture: only those come as stacks of frames."""
    return len(shape) == 3 and dtype == "uint8"


def newest_frames(obs: Obs, specs: Mapping[str, ArraySpec]) -> Obs:
    """Returns views of the newest frames {key: [N, ...]} of stacked observations: the last channels."""
    return {key: obs[key][:, -spec.shape[0] :] if len(spec.shape) == 3 else obs[key] for key, spec in specs.items()}


def final_observations(infos: list[dict[str, Any]], ids: NDArray[np.int64], space: spaces.Dict) -> Obs:
    """Returns the last observations {key: [K, ...]} of the worlds `ids`, whose episodes ended."""
    return {
        key: np.stack([infos[i]["terminal_observation"][key] for i in ids])
        if len(ids)
        else np.zeros((0, *(box.shape or ())), box.dtype)
        for key, box in space.items()
    }


def time_limits(infos: list[dict[str, Any]]) -> NDArray[np.bool_]:
    """Returns [N] whether a world's episode was cut by a time limit."""
    return np.array([bool(info.get("TimeLimit.truncated", False)) for info in infos])


def to_tensors(obs: Obs, device: torch.device) -> dict[str, torch.Tensor]:
    """Returns the arrays as tensors on `device`, sharing memory where they can."""
    return {key: torch.as_tensor(value, device=device) for key, value in obs.items()}


def encode(encoder: MultimodalEncoder, obs: Obs, device: torch.device) -> NDArray[np.float32]:
    """Returns features [N, D] of observations {key: [N, ...]}."""
    with torch.no_grad():
        features: NDArray[np.float32] = encoder(to_tensors(obs, device)).cpu().numpy()
    return features
