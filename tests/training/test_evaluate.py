import numpy as np
import pytest
from training_toys import SPEC, Astray, ConstantAgent, LineEnv, Silent

from robossl.core import Stream
from robossl.training.evaluate import evaluate
from robossl.training.intervals import rate_interval
from robossl.training.policy import AgentPolicy


def evaluated(num_worlds, episodes, action=0.5, **options):
    policy = AgentPolicy(ConstantAgent(action), SPEC.observation, frame_stack=2)
    return evaluate(LineEnv(num_worlds, stream=Stream.EVAL), policy, episodes, **options)


@pytest.mark.parametrize("num_worlds", [1, 3, 4, 11, 16])
def test_the_number_of_worlds_changes_nothing(num_worlds):
    expected, actual = evaluated(11, 11, action=0.9), evaluated(num_worlds, 11, action=0.9)
    np.testing.assert_array_equal(actual.returns, expected.returns)
    np.testing.assert_array_equal(actual.lengths, expected.lengths)
    np.testing.assert_array_equal(actual.success, expected.success)
    np.testing.assert_array_equal(actual.metrics["distance"], expected.metrics["distance"])
    assert 0 < expected.success.sum() < 11


def test_figures_are_those_worked_out_by_hand():
    result = evaluated(4, 7, action=0.1)  # never collides: world i lasts 3 + i steps of 0.02 each
    assert result.lengths.tolist() == [3, 4, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(result.metrics["distance"], 0.02 * result.lengths)
    np.testing.assert_allclose(result.returns, [0.02 * n * (n + 1) / 2 for n in result.lengths], rtol=1e-6)
    summary = result.summary()
    assert summary["env"] == "toy/Line-v0"
    assert summary["episodes"] == 7
    assert summary["success_rate"] == 1.0
    assert summary["length_mean"] == 6.0
    assert summary["distance_mean"] == pytest.approx(0.12)
    assert summary["return_mean"] == pytest.approx(np.mean(result.returns))
    assert summary["return_std"] == pytest.approx(np.std(result.returns))
    assert summary["collision_mean"] == summary["collision_rate"] == 0.0
    low, high = summary["length_mean_ci"]
    assert low < 6.0 < high


def test_rates_of_which_all_or_no_episodes_count_have_an_interval_with_a_width():
    summary = evaluated(4, 7, action=0.1).summary()
    assert summary["success_rate_ci"] == list(rate_interval(np.ones(7)))
    assert summary["collision_rate_ci"] == summary["collision_mean_ci"] == list(rate_interval(np.zeros(7)))


def test_first_world_shifts_the_worlds():
    whole, part = evaluated(4, 8), evaluated(4, 3, first_world=5)
    np.testing.assert_array_equal(part.returns, whole.returns[5:])


def test_progress_counts_every_episode_once():
    seen = []
    evaluated(4, 7, progress=seen.append)
    assert sum(seen) == 7


def test_a_difference_is_taken_world_by_world():
    careful, bold = evaluated(4, 9, action=0.1), evaluated(4, 9, action=0.9)
    difference = bold.against(careful)
    assert difference["success_rate_difference"] == pytest.approx(bold.success.mean() - 1.0)
    assert difference["return_mean_difference"] == pytest.approx(np.mean(bold.returns - careful.returns))
    low, high = difference["success_rate_difference_ci"]
    assert low < difference["success_rate_difference"] < high
    same = careful.against(careful)
    assert same["success_rate_difference"] == same["return_mean_difference"] == 0.0
    assert same["return_mean_difference_ci"] == [0.0, 0.0]
    low, high = same["success_rate_difference_ci"]
    assert -low == high > 0.2  # nine worlds say no more, although they all end alike
    shifted = careful.against(bold)["return_mean_difference_ci"]
    assert shifted == pytest.approx([-value for value in reversed(difference["return_mean_difference_ci"])], rel=0.1)


def test_episodes_whose_physics_went_astray_are_told_and_have_no_part_in_the_metrics():
    policy = AgentPolicy(ConstantAgent(0.1), SPEC.observation, frame_stack=2)
    summary = evaluate(Astray(4, stream=Stream.EVAL), policy, 7).summary()
    assert (summary["episodes"], summary["num_diverged"]) == (7, 2)
    assert summary["success_rate"] == pytest.approx(5 / 7)
    assert summary["distance_mean"] == pytest.approx(0.02 * np.mean([3, 6, 7, 8, 9]))
    assert "num_diverged" not in evaluated(4, 7).summary()


def test_an_environment_that_knows_no_success_has_no_rate_of_it():
    policy = AgentPolicy(ConstantAgent(0.1), SPEC.observation, frame_stack=2)
    result = evaluate(Silent(4, stream=Stream.EVAL), policy, 7)
    summary = result.summary()
    assert not result.has_success
    assert not any("success" in name for name in summary)
    assert {**evaluated(4, 7, action=0.1).summary(), **summary} == evaluated(4, 7, action=0.1).summary()
