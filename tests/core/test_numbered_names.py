"""Runs of numbered names are told as one."""

from robossl.core.numbered_names import listed


def test_leading_zeros_stay() -> None:
    assert listed([f"obstacle_{i:02d}" for i in range(8, 12)]) == ["obstacle_08..11"]
