"""Frame stacks: padding with the first frame, order, and episode ends."""

import numpy as np
import pytest

from robossl.core import ArraySpec, FrameStack
from robossl.core.frames import channels_first

SPEC = {
    "rgb_front": ArraySpec(shape=(1, 1, 3), dtype="uint8", low=0, high=255),
    "proprio": ArraySpec(shape=(1,)),
}


def picture(*values: int) -> dict[str, np.ndarray]:
    frames = np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 1, 1, 3), np.uint8)
    return {"rgb_front": frames, "proprio": np.array(values, np.float32)[:, None]}


def test_stack_pads_with_the_first_frame_and_restarts_at_an_end() -> None:
    stack = FrameStack(3, SPEC)
    obs = stack.reset(picture(1, 10))
    assert obs["rgb_front"][0, 0, 0].tolist() == [1] * 9
    nobody = np.array([], np.int64)
    obs, _ = stack.push(picture(2, 11), nobody, {key: value[:0] for key, value in picture(0).items()})
    assert obs["rgb_front"][0, 0, 0, ::3].tolist() == [1, 1, 2]
    obs, final = stack.push(picture(3, 50), np.array([1]), picture(12))
    assert obs["rgb_front"][0, 0, 0, ::3].tolist() == [1, 2, 3]
    assert obs["rgb_front"][1, 0, 0, ::3].tolist() == [50, 50, 50]
    assert final["rgb_front"][0, 0, 0, ::3].tolist() == [10, 11, 12]
    assert obs["proprio"].shape == (2, 1)


def test_state_returns() -> None:
    stack, other = FrameStack(2, SPEC), FrameStack(2, SPEC)
    stack.reset(picture(1))
    other.set_state(stack.get_state())
    nobody = np.array([], np.int64)
    empty = {key: value[:0] for key, value in picture(0).items()}
    np.testing.assert_array_equal(
        stack.push(picture(2), nobody, empty)[0]["rgb_front"], other.push(picture(2), nobody, empty)[0]["rgb_front"]
    )


def test_a_stack_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        FrameStack(0, SPEC)


def test_channels_first_turns_pictures_alone_whatever_leads_them() -> None:
    spec = {"depth_front": ArraySpec(shape=(2, 3, 1)), "proprio": ArraySpec(shape=(1,))}
    depth = np.arange(5 * 4 * 6, dtype=np.float32).reshape(5, 4, 2, 3, 1)
    obs = channels_first({"depth_front": depth, "proprio": depth[..., 0, 0]}, spec)
    assert obs["depth_front"].shape == (5, 4, 1, 2, 3)
    assert obs["depth_front"][4, 3, 0, 1, 2] == depth[4, 3, 1, 2, 0]
    assert obs["proprio"].shape == (5, 4, 2)


def test_a_stack_turned_channels_first_is_not_the_one_kept() -> None:
    stack = FrameStack(2, SPEC)
    picture_again = channels_first(stack.reset(picture(7)), SPEC)["rgb_front"]
    assert picture_again.flags["C_CONTIGUOUS"]
    picture_again[...] = 0
    empty = {key: value[:0] for key, value in picture(0).items()}
    pushed, _ = stack.push(picture(8), np.array([], np.int64), empty)
    assert pushed["rgb_front"][0, 0, 0, ::3].tolist() == [7, 8]
    pushed["rgb_front"][...] = 0
    pushed, _ = stack.push(picture(9), np.array([], np.int64), empty)
    assert pushed["rgb_front"][0, 0, 0, ::3].tolist() == [8, 9]
