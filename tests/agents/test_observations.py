import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecNormalize

from robossl.agents import observations
from robossl.core import ArraySpec, UserError

SPACE = spaces.Dict(
    {
        "rgb_front": spaces.Box(0, 255, (6, 8, 9), np.uint8),
        "depth_front": spaces.Box(0, np.inf, (1, 8, 9), np.float32),
        "proprio": spaces.Box(-1, 1, (4,), np.float32),
    }
)
ACTION = spaces.Box(-1, 1, (2,), np.float32)


def test_only_colour_pictures_are_taken_apart_into_single_frames() -> None:
    assert observations.single_frames(SPACE, 2) == {
        "rgb_front": ArraySpec(shape=(3, 8, 9), dtype="uint8"),
        "depth_front": ArraySpec(shape=(1, 8, 9)),
        "proprio": ArraySpec(shape=(4,)),
    }


def test_a_stack_of_another_length_is_refused() -> None:
    with pytest.raises(UserError, match=r"'rgb_front' has 6 channels: not a stack of 4 frames"):
        observations.single_frames(SPACE, 4)


def test_the_newest_frame_is_the_last_channels() -> None:
    frames = np.arange(6, dtype=np.uint8).reshape(1, 6, 1, 1) * np.ones((3, 6, 8, 9), np.uint8)
    obs = {"rgb_front": frames, "depth_front": np.zeros((3, 1, 8, 9), np.float32), "proprio": np.ones((3, 4))}
    newest = observations.newest_frames(obs, observations.single_frames(SPACE, 2))
    assert newest["rgb_front"].shape == (3, 3, 8, 9)
    assert newest["rgb_front"][0, :, 0, 0].tolist() == [3, 4, 5]
    assert newest["proprio"] is obs["proprio"]


def test_last_observations_are_gathered_from_the_worlds_that_ended() -> None:
    infos = [{"terminal_observation": {k: np.full(b.shape, i, b.dtype) for k, b in SPACE.items()}} for i in range(3)]
    final = observations.final_observations(infos, np.array([2, 0]), SPACE)
    assert final["proprio"][:, 0].tolist() == [2.0, 0.0]
    assert final["rgb_front"].shape == (2, 6, 8, 9)
    none = observations.final_observations(infos, np.array([], np.int64), SPACE)
    assert none["rgb_front"].shape == (0, 6, 8, 9)
    assert none["rgb_front"].dtype == np.uint8


@pytest.mark.parametrize(
    ("space", "action", "message"),
    [
        (SPACE["proprio"], ACTION, "Dict of Boxes"),
        (spaces.Dict({"n": spaces.Discrete(3)}), ACTION, "Dict of Boxes"),
        (SPACE, spaces.Discrete(3), r"Box\(-1, 1\)"),
        (SPACE, spaces.Box(-2, 2, (2,), np.float32), r"Box\(-1, 1\)"),
        (SPACE, spaces.Box(-1, 1, (2, 2), np.float32), r"Box\(-1, 1\)"),
    ],
)
def test_other_spaces_are_refused(space, action, message) -> None:
    with pytest.raises(UserError, match=message):
        observations.require_supported(None, space, action)


def test_normalised_environments_are_refused(colour_env) -> None:
    env = VecNormalize(colour_env(), norm_obs_keys=["proprio"])
    with pytest.raises(UserError, match="VecNormalize"):
        observations.require_supported(env, env.observation_space, env.action_space)


def test_tensors_share_the_arrays_memory() -> None:
    obs = {"proprio": np.zeros((2, 4), np.float32)}
    observations.to_tensors(obs, torch.device("cpu"))["proprio"][0, 0] = 7
    assert obs["proprio"][0, 0] == 7
