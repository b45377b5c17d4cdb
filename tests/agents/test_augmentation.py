import numpy as np
import pytest
import torch
from gymnasium import spaces

from robossl.agents import Representation
from robossl.agents.augmentation import AugmentConfig, augmented
from robossl.core import UserError
from robossl.nets import EncoderConfig


def test_every_picture_is_shifted_and_vectors_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, (32, 6, 8, 8), dtype=torch.uint8, generator=generator)
    obs = {"rgb_a": picture, "depth_a": picture.float(), "rgb_b": picture[..., :7], "proprio": torch.ones(32, 2)}
    shifted = augmented(obs, AugmentConfig(shift_px=2), generator)
    assert shifted["proprio"] is obs["proprio"]
    assert not torch.equal(shifted["rgb_a"], picture)
    assert torch.equal(shifted["rgb_a"].float(), shifted["depth_a"])  # what is of one camera stays together
    assert not torch.equal(shifted["rgb_a"][..., 2:5], shifted["rgb_b"][..., 2:5])
    assert shifted["rgb_a"].dtype == torch.uint8


def test_off_leaves_everything_and_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    obs = {"rgb_a": torch.zeros(2, 3, 8, 8)}
    assert augmented(obs, None, generator) is obs
    assert torch.equal(generator.get_state(), before)


def test_no_shift_is_not_an_augmentation() -> None:
    with pytest.raises(UserError, match=r"augment\.shift-px must be at least 1, got 0"):
        AugmentConfig(shift_px=0)


def test_a_shift_that_leaves_nothing_of_a_picture_is_refused_when_the_encoder_is_built() -> None:
    boxes = {"rgb_a": spaces.Box(0, 255, (6, 8, 20), np.uint8), "proprio": spaces.Box(-1, 1, (2,))}
    space, sizes = spaces.Dict(boxes), EncoderConfig(channels=(4,), kernels=(3,), strides=(2,))
    Representation(encoder=sizes, augment=AugmentConfig(shift_px=7)).build(space, 0)
    with pytest.raises(UserError, match=r"augment\.shift-px must be at most 7, a pixel less than .*: got 4000"):
        Representation(encoder=sizes, augment=AugmentConfig(shift_px=4000)).build(space, 0)
