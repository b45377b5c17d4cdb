import numpy as np
import pytest

from robossl.envs.tasks.rewards import tolerance


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 1.0), (0.02, 1.0), (0.12, 0.5), (0.17, 0.25), (0.22, 0.0), (5.0, 0.0), (-0.05, 0.75), (-0.3, 0.0)],
)
def test_tolerance_falls_from_one_inside_to_zero_at_the_margin(value: float, expected: float) -> None:
    assert tolerance(np.array([value]), high=0.02, margin=0.2) == pytest.approx(expected)


def test_tolerance_keeps_shape_and_type() -> None:
    shaped = tolerance(np.zeros((3, 2), np.float32), low=-1.0, high=1.0, margin=1.0)
    assert shaped.shape == (3, 2)
    assert shaped.dtype == np.float32


@pytest.mark.parametrize(("low", "high", "margin"), [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 1.0, -1.0)])
def test_tolerance_refuses_reversed_bounds_and_margins_that_are_not_positive(
    low: float, high: float, margin: float
) -> None:
    with pytest.raises(ValueError, match="tolerance needs"):
        tolerance(np.zeros(1), low=low, high=high, margin=margin)
