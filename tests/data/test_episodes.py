"""Episodes written to disk, read again, and refused where they do not fit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from episode_checks import CONFIG, assert_same_episode, files_of

from robossl.core import ArraySpec, UserError
from robossl.data import EpisodeStore, EpisodeWriter, Replay


def test_what_was_written_is_read(written, spec, episodes):
    store = EpisodeStore(written)
    assert (len(store), store.spec, store.config) == (5, spec, CONFIG)
    for index, episode in enumerate(episodes):
        assert_same_episode(store[index], episode)
    assert_same_episode(store[-1], episodes[4])
    assert store.verify() == []
    assert not store[0].obs["rgb_front"].flags.writeable


@pytest.mark.parametrize("index", [slice(0, 2), "0", 1.0])
def test_episodes_are_asked_for_by_number(written, index):
    store = EpisodeStore(written)
    assert store[np.int64(1)].world == store[1].world
    with pytest.raises(TypeError, match="one by one, by number: got "):
        store[index]
    with pytest.raises(IndexError):
        store[5]


def test_written_read_and_written_again_is_the_same_bytes(written, tmp_path, spec):
    store = EpisodeStore(written)
    with EpisodeWriter(tmp_path / "again", spec, CONFIG) as writer:
        for index in range(len(store)):
            writer.add(store[index])
    assert files_of(tmp_path / "again") == files_of(written)


@pytest.mark.usefixtures("_tiny_shards")
def test_episodes_lie_whole_in_growing_shards(tmp_path, spec, make_episode):
    episodes = [make_episode(0, i, 1 + 7 * i % 30) for i in range(40)]
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        for episode in episodes:
            writer.add(episode)
    store = EpisodeStore(tmp_path)
    for index, episode in enumerate(episodes):
        assert_same_episode(store[index], episode)
    rows = [len(np.load(path)) for path in sorted((tmp_path / "shards" / "depth_front").iterdir())]
    assert sum(rows) == sum(episode.length + 1 for episode in episodes)
    assert rows[0] <= 10
    assert max(rows) == 31
    assert sum(rows > 20 for rows in rows) == sum(episode.length + 1 > 20 for episode in episodes)


@pytest.mark.parametrize("num_before", [1, 2, 4])
def test_appending_equals_writing_at_once(tmp_path, written, spec, episodes, num_before):
    for part in (episodes[:num_before], episodes[num_before:]):
        with EpisodeWriter(tmp_path / "parts", spec, CONFIG) as writer:
            for episode in part:
                writer.add(episode)
    assert files_of(tmp_path / "parts") == files_of(written)


def test_states_and_model_values_that_stand_still_take_no_space(tmp_path, spec, make_episode):
    episode = make_episode(0, 0, 400)
    state = np.zeros((401, 150))
    state[:, 3] = np.random.default_rng(0).normal(size=401)
    episode = replace(episode, state=state, model_values={"geom_rgba": np.ones((60, 4), np.float32)})
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        writer.add(episode)
    assert_same_episode(EpisodeStore(tmp_path)[0], episode)
    assert (tmp_path / "packed.bin").stat().st_size < 401 * (8 + 12 + 8 + 4)  # state, proprio, action, reward


def test_episodes_of_another_environment_are_not_mixed_in(written, spec):
    wider = {**spec.observation, "proprio": ArraySpec(shape=(4,))}
    with pytest.raises(UserError, match=r"'proprio' was float32\[3\] and is now float32\[4\]"):
        EpisodeWriter(written, replace(spec, observation=wider), CONFIG)
    with pytest.raises(UserError, match="another environment: its control_hz differs"):
        EpisodeWriter(written, replace(spec, control_hz=5.0), CONFIG)
    with EpisodeWriter(written, spec, CONFIG) as writer:
        assert writer.num_episodes == 5


def test_only_one_writer_works_at_a_time(written, spec):
    with EpisodeWriter(written, spec, CONFIG), pytest.raises(UserError, match="being written by another process"):
        EpisodeWriter(written, spec, CONFIG)
    EpisodeWriter(written, spec, CONFIG).close()


def changed(episode, **fields):
    return replace(episode, **fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: changed(e, truncated=True, terminated=True), "both terminated and truncated"),
        (lambda e: changed(e, action=e.action * 50), r"outside \[-1, 1\]"),
        (lambda e: changed(e, action=e.action[:-1]), r"action|observation"),
        (lambda e: changed(e, reward=e.reward * np.float32("nan")), "reward is not finite"),
        (lambda e: changed(e, reward=e.reward.astype(np.float64)), r"reward must be float32\[7\], got float64"),
        (lambda e: changed(e, obs={"proprio": e.obs["proprio"]}), r"has observations \['proprio'\]"),
        (lambda e: changed(e, obs={**e.obs, "proprio": e.obs["proprio"][1:]}), r"'proprio' must be float32\[8, 3\]"),
        (lambda e: changed(e, info={"metric/distance": float("inf")}), "info is not finite"),
        (lambda e: changed(e, state=e.state[:, :2]), "states have 2 numbers, those of earlier episodes 3"),
    ],
)
def test_a_wrong_episode_is_refused_and_nothing_is_written(written, spec, episodes, change, message):
    before = files_of(written)
    with EpisodeWriter(written, spec, CONFIG) as writer, pytest.raises(ValueError, match=message):
        writer.add(change(episodes[1]))
    assert files_of(written) == before


def test_a_simulator_without_a_state_is_fine(tmp_path, spec, episodes):
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        writer.add(changed(episodes[1], state=np.zeros((8, 0))))
    assert EpisodeStore(tmp_path)[0].state.shape == (8, 0)


def test_the_summary_counts_episodes_and_outcomes(written, episodes):
    summary = EpisodeStore(written).summary()
    assert (summary["env"], summary["episodes"], summary["steps"]) == ("test/Codes-v0", 5, 28)
    assert summary["success_rate"] == pytest.approx(2 / 5)
    assert summary["return_mean"] == pytest.approx(np.mean([episode.reward.sum() for episode in episodes]), abs=1e-6)
    assert summary["keys"] == {
        "rgb_front": "uint8[2, 2, 3]",
        "depth_front": "float32[2, 2, 1]",
        "proprio": "float32[3]",
    }
    assert summary["bytes"] == sum(len(content) for content in files_of(written).values())
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize(("recorded", "rate"), [({}, 1 / 3), ({"guard_changed": 0.0}, 1.0)])
def test_success_that_is_not_told_of_is_none_in_simulation_and_unknown_on_a_robot(
    tmp_path, spec, episodes, recorded, rate
):
    with EpisodeWriter(tmp_path, spec, CONFIG) as writer:
        for episode, info in zip(episodes[:3], ({}, {"success": 1.0}, {}), strict=True):
            writer.add(changed(episode, info={**info, **recorded}))
    assert EpisodeStore(tmp_path).summary()["success_rate"] == pytest.approx(rate)


def test_a_dataset_without_episodes_has_a_summary(tmp_path, spec):
    EpisodeWriter(tmp_path, spec, CONFIG).close()
    assert EpisodeStore(tmp_path).summary()["return_mean"] is None


def test_pictures_reach_the_replay_channels_first(written):
    replay = Replay.from_episodes(EpisodeStore(written), keys=["rgb_front"], split=[3])
    assert replay.observation["rgb_front"].shape == (3, 2, 2)
    assert len(replay) == 12
