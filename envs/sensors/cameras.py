"""Pairs of cameras."""

from robossl.core import CameraSpec


def stereo(name: str, *, width: int, height: int, baseline_m: float) -> tuple[CameraSpec, CameraSpec]:
    """Returns the eyes `<name>_left` and `<name>_right`, half the baseline to either side of the model's camera."""
    left, right = (
        CameraSpec(name=f"{name}_{side}", width=width, height=height, of=name, shift_m=sign * baseline_m / 2)
        for side, sign in (("left", -1), ("right", 1))
    )
    return left, right
