"""What sensors read, from their docstrings and numbers."""

import numpy as np
import pytest

from robossl.cli.sensor_words import meaning, numbers
from robossl.envs.sensors import Lidar, Odometry


@pytest.mark.parametrize(
    ("fov_rad", "beams"),
    [
        (2 * np.pi, "beam 0 along (-1, 0, 0), each next one 90° to the left"),
        (np.pi, "beam 0 along (0, -1, 0), each next one 60° to the left"),
    ],
)
def test_the_beams_of_a_lidar_have_directions(fov_rad: float, beams: str) -> None:
    assert numbers(Lidar(site="top", num_beams=4, max_m=2.0, fov_rad=fov_rad)).endswith(f"{beams})")


def test_the_numbers_of_a_kind_are_explained() -> None:
    assert "`noise_std`: relative error of each single motion." in meaning(Odometry)
