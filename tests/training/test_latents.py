import numpy as np
import pytest
from training_toys import HEIGHT, SPEC, WIDTH, ConstantAgent, LineEnv, OtherChannelsEnv

from robossl.training.evaluate import evaluate
from robossl.training.latents import LatentSampler
from robossl.training.policy import AgentPolicy
from robossl.training.privileged import factor_names, factor_values, policy_observation, with_privileged


def sampled(max_samples, episodes=40, num_worlds=16, env=None):
    env, agent = env or LineEnv(num_worlds), ConstantAgent(0.1)
    policy = AgentPolicy(agent, env.spec.observation, frame_stack=2)
    sampler = LatentSampler(agent, policy, env, max_samples=max_samples)
    result = evaluate(env, policy, episodes, observers=[sampler])
    return sampler.latents(), result


def test_every_moment_is_described_by_what_was_true_then():
    latents, result = sampled(10_000)
    assert len(latents.features) == result.lengths.sum()
    assert latents.names == ("place_x", "place_world")
    np.testing.assert_array_equal(latents.factors[:, 1], latents.episode)
    np.testing.assert_array_equal(latents.features[:, 1], latents.step)  # the agent's features are its proprioception
    np.testing.assert_array_equal(latents.features[:, 0], latents.factors[:, 0])
    np.testing.assert_array_equal(latents.thumbnails[:, 0, 0, 0], (10 * latents.episode + latents.step) % 256)
    np.testing.assert_allclose(latents.reward, 0.02 * (latents.step + 1), rtol=1e-4)
    assert latents.thumbnails.shape[1:] == (HEIGHT, WIDTH, 3)
    metadata = latents.metadata(result)
    assert {len(column) for column in metadata.values()} == {len(latents.features)}
    assert metadata["return"] == result.returns[latents.episode].tolist()


@pytest.mark.parametrize("num_channels", [1, 4])
def test_thumbnails_are_in_colour(num_channels):
    latents, _ = sampled(10_000, env=OtherChannelsEnv(num_channels))
    assert latents.thumbnails.shape[1:] == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(latents.thumbnails[:, 0, 0, 2], (10 * latents.episode + latents.step) % 256)


def test_samples_are_thinned_out_evenly():
    latents, result = sampled(60)
    assert len(latents.features) <= 60
    steps = np.unique(latents.step)
    assert len(np.unique(np.diff(steps))) == 1
    for step in steps:
        assert (latents.step == step).sum() == (result.lengths > step).sum()


def test_what_features_hold_exactly_is_found_and_what_they_lack_is_not():
    scores = sampled(10_000)[0].scores()
    assert scores["r2_place_x"] > 0.999
    assert scores["r2_place_world"] < 0.2
    assert 1 <= scores["rankme"] <= 2


def test_few_samples_give_no_probe():
    scores = sampled(10_000, episodes=2, num_worlds=2)[0].scores()
    assert set(scores) == {"rankme"}


def test_datasets_keep_the_truth_apart_from_what_an_agent_may_see():
    spec = with_privileged(SPEC)
    assert set(spec.observation) == {*SPEC.observation, "privileged_place", "privileged_map"}
    assert policy_observation(spec) == SPEC.observation


def test_factors_are_what_has_a_name():
    assert factor_names(SPEC.privileged) == ("place_x", "place_world")
    truth = {"a_place": np.array([[1, 2], [3, 4]]), "a_map": np.zeros((2, 2, 2))}
    np.testing.assert_array_equal(factor_values(truth, SPEC.privileged, prefix="a_"), [[1, 2], [3, 4]])
