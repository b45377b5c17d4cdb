import dataclasses
import json
import os
import signal
import tracemalloc

import numpy as np
import pytest
from training_toys import HEIGHT, SPEC, WIDTH, Astray, LineEnv, Silent

from robossl.core import ArraySpec, Stream, UserError
from robossl.data import EpisodeStore
from robossl.training.collect import CollectConfig, collect, open_writer
from robossl.training.episode_builder import EpisodeBuilder, require_memory
from robossl.training.interrupt import Interrupted
from robossl.training.policy import RandomPolicy
from robossl.training.progress import Progress
from robossl.training.rollout import Rollout


def run(folder, *, policy=None, num_worlds=4, policy_name="random", **options):
    config = CollectConfig(**{"steps": None, "policy": policy_name, **options})
    env = LineEnv(num_worlds, seed=5, stream=Stream.COLLECT)
    with open_writer(folder, env, config, seed=5) as writer:
        return collect(env, (policy or RandomPolicy)(env, seed=0), writer, config, seed=5)


def test_every_episode_holds_all_that_happened(tmp_path):
    collected = run(tmp_path, episodes=30)
    store = EpisodeStore(tmp_path)
    assert collected.episodes == len(store) == 30
    assert collected.steps == sum(store[i].length for i in range(30))
    assert store.config["seed"] == 5
    for i in range(30):
        episode = store[i]
        length, world = episode.length, episode.world
        x = episode.state[:, 0]
        assert (episode.seed, episode.stream) == (5, Stream.COLLECT)
        assert length <= 3 + (world + episode.episode) % 7
        assert episode.state[:, 1].tolist() == list(range(length + 1))
        np.testing.assert_allclose(np.diff(x), 0.2 * episode.action[:, 0], atol=1e-12)
        np.testing.assert_array_equal(episode.reward, (x[1:] - x[0]).astype(np.float32))
        np.testing.assert_array_equal(episode.obs["proprio"][:, 0], x.astype(np.float32))
        np.testing.assert_array_equal(episode.obs["rgb_front"][:, 0, 0, 0], 10 * world + np.arange(length + 1))
        np.testing.assert_array_equal(episode.obs["privileged_place"][:, 0], x.astype(np.float32))
        assert (episode.obs["privileged_place"][:, 1] == world).all()
        np.testing.assert_array_equal(episode.model_values["begin"], x[:1])
        assert episode.terminated == (x[-1] > 1) == bool(episode.info["collision"])
        assert episode.truncated == (not episode.terminated) == bool(episode.info["success"])
        assert episode.info["distance"] == x[-1] - x[0]
    assert len({(store[i].world, store[i].episode) for i in range(30)}) == 30


def test_episodes_whose_physics_went_astray_are_told(tmp_path):
    config, env = CollectConfig(steps=None, episodes=8), Astray(4, seed=5, stream=Stream.COLLECT)
    with open_writer(tmp_path, env, config, seed=5) as writer:
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=5)
    store = EpisodeStore(tmp_path)
    lost = [store[i].world for i in range(8) if store[i].info.get("diverged")]
    assert sorted(set(lost)) == [1, 2]
    assert store.summary()["num_diverged"] == len(lost)


def test_episodes_say_nothing_of_success_where_there_is_none(tmp_path):
    config, env = CollectConfig(steps=None, episodes=4), Silent(4, seed=5, stream=Stream.COLLECT)
    with open_writer(tmp_path, env, config, seed=5) as writer:
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=5)
    store = EpisodeStore(tmp_path)
    assert "success" not in store[0].info
    assert store.summary()["success_rate"] is None


def test_the_privileged_truth_can_be_left_out(tmp_path):
    run(tmp_path, episodes=2, privileged=False)
    assert set(EpisodeStore(tmp_path)[0].obs) == set(SPEC.observation)


def test_an_end_can_be_given_in_steps(tmp_path):
    collected = run(tmp_path, steps=50)
    last = EpisodeStore(tmp_path)[collected.episodes - 1]
    assert 50 <= collected.steps < 50 + last.length


@pytest.mark.parametrize(("steps", "episodes"), [(100_000, 12), (60, 1_000)])
def test_progress_is_towards_whichever_end_is_nearer(tmp_path, monkeypatch, steps, episodes):
    lines = []
    monkeypatch.setattr(Progress, "say", lambda self, line: lines.append(line))
    collected = run(tmp_path, steps=steps, episodes=episodes)
    assert lines[-1].startswith(f"collect: {collected.steps}/{min(collected.steps, steps)} steps, ")
    assert "left" not in lines[-1]


def test_going_on_completes_the_dataset_in_worlds_not_seen_yet(tmp_path):
    assert run(tmp_path, episodes=10).episodes == 10
    assert run(tmp_path, episodes=10).episodes == 0
    assert run(tmp_path, episodes=25).episodes == 15
    store = EpisodeStore(tmp_path)
    before = {store[i].world for i in range(10)}
    after = {store[i].world for i in range(10, 25)}
    assert before == {0, 1, 2, 3}
    assert after == {4, 5, 6, 7}


def test_episodes_of_another_policy_are_not_added(tmp_path):
    run(tmp_path, episodes=3, hold_steps=2.0)
    with pytest.raises(UserError, match=r"collected with other settings: policy was random and is now expert$"):
        run(tmp_path, episodes=6, policy_name="expert")
    with pytest.raises(UserError, match=r"collected with other settings: hold_steps was 2\.0 and is now 4\.0$"):
        run(tmp_path, episodes=6, hold_steps=4.0)
    assert len(EpisodeStore(tmp_path)) == 3
    assert run(tmp_path, episodes=6, hold_steps=2.0).episodes == 3
    run(tmp_path / "expert", episodes=3, policy_name="expert")
    assert run(tmp_path / "expert", episodes=6, policy_name="expert", hold_steps=4.0).episodes == 3  # means nothing


def test_a_dataset_that_does_not_tell_its_policy_is_added_to(tmp_path):
    run(tmp_path, episodes=3)
    path = tmp_path / "dataset.json"
    header = json.loads(path.read_text())
    del header["check"], header["config"]["policy"], header["config"]["hold_steps"]
    path.write_text(json.dumps(header))
    assert run(tmp_path, episodes=6, policy_name="expert").episodes == 3


def test_an_interruption_keeps_every_finished_episode(tmp_path):
    class Interrupting(RandomPolicy):
        count = 0

        def act(self, obs, privileged):
            self.count += 1
            if self.count == 20:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().act(obs, privileged)

    with pytest.raises(Interrupted) as caught:
        run(tmp_path, policy=Interrupting, episodes=1000)
    assert caught.value.saved == tmp_path
    store = EpisodeStore(tmp_path)
    assert store.verify() == []
    assert sum(store[i].length for i in range(len(store))) > 20 * 4 - 4 * 9
    assert run(tmp_path, episodes=len(store) + 3).episodes == 3


def test_a_failing_policy_keeps_every_finished_episode_and_frees_the_environment(tmp_path):
    class Failing(RandomPolicy):
        def act(self, obs, privileged):
            return np.full((4, 1), np.nan, np.float32) if obs["proprio"][3, 1] == 5 else super().act(obs, privileged)

    env = LineEnv(4, stream=Stream.COLLECT)
    config = CollectConfig(steps=None, episodes=100)
    with open_writer(tmp_path, env, config, seed=0) as writer, pytest.raises(UserError, match="not finite in world 3"):
        collect(env, Failing(env, seed=0), writer, config, seed=0)
    assert env.before_reset is None
    assert EpisodeStore(tmp_path).verify() == []


class Lost(LineEnv):
    """World 2 tells something that is not finite, of which an agent sees nothing."""

    def privileged(self):
        truth = super().privileged()
        truth["map"][self.world == 2] = np.nan
        return truth


def test_what_is_not_finite_and_not_seen_is_told_with_its_key_and_world(tmp_path):
    config, env = CollectConfig(steps=None, episodes=8), Lost(4, stream=Stream.COLLECT)
    with (
        open_writer(tmp_path, env, config, seed=0) as writer,
        pytest.raises(UserError, match="world 2, episode 0: observation 'privileged_map' is not finite"),
    ):
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=0)
    assert EpisodeStore(tmp_path).verify() == []


class Blind(LineEnv):
    """What world 2 sees is a series that is never finite."""

    def __init__(self, num_worlds):
        super().__init__(num_worlds, stream=Stream.COLLECT)
        self.spec = dataclasses.replace(SPEC, observation={"proprio": ArraySpec(shape=(1, 2))})

    def _obs(self):
        series = super()._obs()["proprio"][:, None]
        return {"proprio": np.where(self.world[:, None, None] == 2, np.float32(np.nan), series)}


def test_a_series_that_is_not_finite_is_told_with_its_key_and_world(tmp_path):
    config, env = CollectConfig(steps=None, episodes=8), Blind(4)
    with (
        open_writer(tmp_path, env, config, seed=0) as writer,
        pytest.raises(UserError, match="observation 'proprio' is not finite in world 2"),
    ):
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=0)


def test_an_endless_collection_is_refused():
    with pytest.raises(UserError, match="steps or episodes"):
        CollectConfig(steps=None)
    with pytest.raises(UserError, match=r"collect\.hold-steps must be at least 1, got 0\.5"):
        CollectConfig(hold_steps=0.5)


class Together(LineEnv):
    """All worlds end in the same step, after up to nine."""

    @property
    def world(self):
        return self.first_world + 7 * np.arange(self.num_worlds)


_BYTES = HEIGHT * WIDTH * 3 + 4 * (2 + 2 + 4 + 1) + 8 * 2  # of a step of one world: seen, truth, action, state


def test_running_episodes_that_do_not_fit_into_memory_are_refused(monkeypatch):
    env, needed = LineEnv(4, stream=Stream.COLLECT), 4 * (SPEC.max_episode_steps + 1) * _BYTES
    monkeypatch.setattr("robossl.training.episode_builder.available_bytes", lambda: needed)
    require_memory(env, keeps_privileged=True)
    monkeypatch.setattr("robossl.training.episode_builder.available_bytes", lambda: needed - 1)
    message = r"num-worlds 4: their episodes, of up to 9 steps, need about .* 0\.0 GiB are free: room for about 3 w"
    with pytest.raises(UserError, match=message):
        require_memory(env, keeps_privileged=True)


def test_episodes_are_the_same_where_their_room_grows(tmp_path, monkeypatch):
    run(tmp_path / "whole", episodes=20)
    monkeypatch.setattr("robossl.training.episode_builder._NUM_ROWS", 2)
    run(tmp_path / "grown", episodes=20)
    whole, grown = (EpisodeStore(tmp_path / name) for name in ("whole", "grown"))
    assert len(whole) == len(grown)
    for index in range(len(whole)):
        for key, values in whole[index].obs.items():
            np.testing.assert_array_equal(grown[index].obs[key], values)
        np.testing.assert_array_equal(grown[index].state, whole[index].state)


def test_episodes_that_end_together_take_no_more_than_the_running_ones(monkeypatch):
    monkeypatch.setattr("training_toys.HEIGHT", 100)
    monkeypatch.setattr("training_toys.WIDTH", 100)
    env = Together(20, stream=Stream.COLLECT)
    with EpisodeBuilder(env, seed=0, stream=0, keeps_privileged=True) as builder:
        rollout = Rollout(env, RandomPolicy(env, seed=0))
        builder.begin()
        tracemalloc.start()
        ended = [len(builder.add(rollout.step())) for _ in range(3 + 4 + 5 + 6 + 7 + 8 + 9)]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert max(ended) > 10
    assert peak < 1.6 * 20 * (SPEC.max_episode_steps + 1) * 100 * 100 * 3  # with two steps of the environment's own


def test_an_episode_longer_than_any_may_be_is_told(tmp_path):
    env, config = LineEnv(4, stream=Stream.COLLECT), CollectConfig(steps=None, episodes=100)
    env.spec = dataclasses.replace(SPEC, max_episode_steps=5)
    with (
        open_writer(tmp_path, env, config, seed=0) as writer,
        pytest.raises(UserError, match=r"an episode has more steps than 5, which toy/Line-v0 promises"),
    ):
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=0)
