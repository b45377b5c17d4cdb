"""Names of elements in a few words: every column's place stays clear."""

import pytest

from robossl.cli.array_words import elements
from robossl.core import ArraySpec


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("speed_m_s", "yaw_rate_rad_s"), "0 speed_m_s, 1 yaw_rate_rad_s"),
        (("joint1_rad", "joint2_rad", "joint3_rad"), "0-2 joint1..3_rad"),
        (("joint1_rad", "joint1_rad_s", "joint3_rad_s"), "0 joint1_rad, 1 joint1_rad_s, 2 joint3_rad_s"),
        (("a_1", "a_2", "b_3", "a_4"), "0-1 a_1..2, 2 b_3, 3 a_4"),
        ((), ""),
    ],
)
def test_runs_of_numbered_names_are_told_as_one(names: tuple[str, ...], told: str) -> None:
    assert elements(ArraySpec(shape=(len(names),), names=names)) == told


def test_columns_of_a_series_are_those_of_every_row() -> None:
    assert elements(ArraySpec(shape=(8, 2), names=("force_n", "torque_n_m"))) == (
        "in each of 8 rows: 0 force_n, 1 torque_n_m"
    )
