import dataclasses

import numpy as np
import pytest
import torch
from training_toys import SPEC, LineEnv

from robossl.core import FrameStack, UserError
from robossl.data import EpisodeStore
from robossl.nets import EncoderConfig, MultimodalEncoder
from robossl.training.collect import CollectConfig, collect, open_writer
from robossl.training.policy import RandomPolicy
from robossl.training.probe import Probe, ProbeConfig, split_episodes, stacked_frames


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder, env = tmp_path_factory.mktemp("data"), LineEnv(4)
    config = CollectConfig(steps=None, episodes=40)
    with open_writer(folder, env, config, seed=0) as writer:
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=0)
    return EpisodeStore(folder)


def make_probe(store, keys, *, split=None, max_frames=10_000, frame_stack=2, seed=0):
    return Probe(
        store,
        store.spec,
        keys,
        split or split_episodes(len(store), 0.5, np.random.default_rng(1)),
        frame_stack=frame_stack,
        config=ProbeConfig(max_frames=max_frames),
        generator=np.random.default_rng(seed),
    )


def raw_encoder():
    """An encoder whose features are the proprioception itself: position and step."""
    return MultimodalEncoder({"proprio": ((2,), "float32")}, EncoderConfig(vector_features=None))


def test_what_features_hold_exactly_is_found_and_what_they_lack_is_not(store):
    report = make_probe(store, ["proprio"])(raw_encoder())
    assert report.r2["place_x"] > 0.999
    assert report.r2["place_world"] < 0.3
    assert set(report.scalars()) == {"ssl/rankme", "ssl/std", "ssl/cosine", "probe/r2_place_x", "probe/r2_place_world"}


def test_an_encoder_that_diverged_is_one_line(store):
    encoder = raw_encoder()
    encoder.vector_norm.mean.fill_(float("nan"))
    encoder.vector_norm.count.fill_(1)
    with pytest.raises(UserError, match="features are not finite: pretraining diverged"):
        make_probe(store, ["proprio"])(encoder)


def test_every_frame_of_the_split_is_taken_once(store):
    split = ([0, 1, 2], [5, 7])
    fit, test = make_probe(store, ["proprio"], split=split)._halves
    for half, numbers in ((fit, split[0]), (test, split[1])):
        expected = np.concatenate([store[i].obs["proprio"] for i in numbers])
        order = np.lexsort(expected.T)
        actual = half.obs["proprio"].numpy()
        np.testing.assert_array_equal(actual[np.lexsort(actual.T)], expected[order])
        np.testing.assert_array_equal(half.factors[:, 0].numpy(), actual[:, 0])


def test_frames_are_a_share_that_repeats_with_the_generator(store):
    first, again, other = (
        make_probe(store, ["rgb_front"], max_frames=20, seed=seed)._halves[0].obs["rgb_front"] for seed in (0, 0, 1)
    )
    assert first.shape == (20, 6, 12, 16)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_stacks_are_those_of_the_frame_stack(store):
    frames = store[3].obs["rgb_front"]
    ring = FrameStack(3, SPEC.observation)
    nobody = np.array([], int)
    expected = [ring.reset({"rgb_front": frames[:1]})["rgb_front"][0]]
    for frame in frames[1:]:
        stacked, _ = ring.push({"rgb_front": frame[None]}, nobody, {"rgb_front": frames[:0]})
        expected.append(stacked["rgb_front"][0])
    steps = np.arange(len(frames))
    np.testing.assert_array_equal(stacked_frames(frames, steps, 3), np.stack(expected))


def test_probing_leaves_the_encoder_in_its_mode(store):
    encoder = raw_encoder().train()
    make_probe(store, ["proprio"])(encoder)
    assert encoder.training


def test_a_dataset_without_truth_is_refused(store):
    blind = dataclasses.replace(store.spec, observation=SPEC.observation)
    with pytest.raises(UserError, match="holds no truth to probe for"):
        Probe(
            store,
            blind,
            ["proprio"],
            ([0], [1]),
            frame_stack=1,
            config=ProbeConfig(),
            generator=np.random.default_rng(),
        )


@pytest.mark.parametrize(("count", "held_out", "expected"), [(10, 0.3, 3), (2, 0.01, 1), (3, 0.99, 2)])
def test_episodes_are_split_without_overlap(count, held_out, expected):
    kept, out = split_episodes(count, held_out, np.random.default_rng(0))
    assert sorted([*kept, *out]) == list(range(count))
    assert len(out) == expected


def test_one_episode_cannot_be_split():
    with pytest.raises(UserError, match="at least two episodes"):
        split_episodes(1, 0.5, np.random.default_rng(0))
