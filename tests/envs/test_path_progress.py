import numpy as np

from robossl.envs.tasks.path_progress import between, soft_spl, spl

SHORTEST = np.array([4.0, 4.0, 4.0, 4.0])
DRIVEN = np.array([5.0, 5.0, 3.9, 16.0])  # the third arrived at the goal's rim


def test_spl_of_hand_computed_cases():
    success = np.array([True, False, True, True])
    np.testing.assert_allclose(spl(np, success, SHORTEST, DRIVEN), [0.8, 0.0, 1.0, 0.25])


def test_soft_spl_of_hand_computed_cases():
    left = np.array([0.0, 1.0, 0.2, 6.0])  # the last went the wrong way
    np.testing.assert_allclose(soft_spl(np, left, SHORTEST, DRIVEN), [0.8, 0.75 * 0.8, 0.95, 0.0])


def test_a_point_that_is_not_finite_is_no_index() -> None:
    field, row = np.ones((2, 16), np.float32), np.arange(2)
    nowhere = between(np, (1.5, 1.0, 4), field, row, np.array([np.nan, 0.2]), np.array([0.1, np.inf]))
    assert np.isnan(nowhere[0])
    assert nowhere[1] == 1.0
