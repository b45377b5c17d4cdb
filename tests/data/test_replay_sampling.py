"""What is drawn from the replay, against a naive record of everything that happened."""

import numpy as np
import pytest
import torch
from coded_worlds import act, assert_observes, codes_of, expected_stack, on_numpy, reward

GAMMA = 0.9


def assert_transition(worlds, batch, index, code, n_step, num_frames):
    world, episode, step = code
    last = min(step + n_step, worlds.last_step(world, episode))
    ended = last == worlds.length[world, episode] and worlds.terminates[world, episode]
    total = sum(GAMMA**j * reward((world, episode, step + j)) for j in range(last - step))
    assert last > step
    assert_observes(batch.obs, index, code, num_frames)
    assert_observes(batch.next_obs, index, (world, episode, last), num_frames)
    assert batch.action[index].tolist() == pytest.approx(act(code), abs=1e-6)
    assert batch.reward[index].item() == pytest.approx(total, abs=1e-5)
    assert batch.discount[index].item() == pytest.approx(0.0 if ended else GAMMA ** (last - step), abs=1e-6)


def assert_window(worlds, batch, index, code, length, num_frames):
    world, episode, step = code
    last = worlds.last_step(world, episode)
    for t in range(length):
        seen = (world, episode, min(step + t, last))
        assert_observes({key: value[:, t] for key, value in batch.obs.items()}, index, seen, num_frames)
        assert batch.mask[index, t].item() == (step + t <= last)
        if t == 0:
            continue
        before, real = (world, episode, step + t - 1), step + t <= last
        ends = step + t == worlds.length[world, episode] and worlds.terminates[world, episode]
        assert batch.action[index, t - 1].tolist() == pytest.approx(act(before) if real else [0, 0], abs=1e-6)
        assert batch.reward[index, t - 1].item() == pytest.approx(reward(before) if real else 0, abs=1e-6)
        assert batch.terminated[index, t - 1].item() == (real and ends)


def stored_codes(worlds, capacity):
    return set(worlds.slots[-capacity:])


def complete_codes(worlds, slots):
    return {code for code in slots if code[2] < worlds.last_step(*code[:2])}


@pytest.mark.parametrize("num_frames", [1, 2, 4])
@pytest.mark.parametrize("n_step", [1, 2, 3, 5])
@pytest.mark.parametrize(("num_worlds", "num_steps"), [(1, 100), (3, 8), (3, 41), (5, 60)])
def test_every_transition_equals_the_naive_record(make_worlds, make_replay, num_worlds, num_steps, n_step, num_frames):
    worlds = make_worlds(num_worlds, seed=num_steps)
    replay = make_replay(70, num_worlds, frame_stack=num_frames, n_step=n_step, gamma=GAMMA)
    worlds.run(replay, num_steps)
    batch = on_numpy(replay.sample(200, torch.Generator().manual_seed(1)))
    stored = stored_codes(worlds, 70)
    for index, code in enumerate(codes_of(batch.obs)):
        assert stored.issuperset(expected_stack(code, num_frames))
        assert_transition(worlds, batch, index, code, n_step, num_frames)


@pytest.mark.parametrize("num_frames", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize(("num_worlds", "num_steps"), [(1, 100), (3, 8), (4, 50)])
def test_every_window_equals_the_naive_record(make_worlds, make_replay, num_worlds, num_steps, length, num_frames):
    worlds = make_worlds(num_worlds, seed=num_steps)
    replay = make_replay(60, num_worlds, frame_stack=num_frames)
    worlds.run(replay, num_steps)
    batch = on_numpy(replay.sample_windows(150, length, torch.Generator().manual_seed(1)))
    assert batch.frame_stack == num_frames
    stored = stored_codes(worlds, 60)
    for index, code in enumerate(codes_of({"proprio": batch.obs["proprio"][:, 0]})):
        assert stored.issuperset(expected_stack(code, num_frames))
        assert_window(worlds, batch, index, code, length, num_frames)


@pytest.mark.parametrize("num_frames", [1, 3])
@pytest.mark.parametrize("num_steps", [3, 12, 90])
def test_all_complete_transitions_are_found_and_counted(make_worlds, make_replay, num_frames, num_steps):
    worlds = make_worlds(3, seed=2)
    replay = make_replay(64, 3, frame_stack=num_frames)
    worlds.run(replay, num_steps)
    found = set(codes_of(replay.sample(5000, torch.Generator().manual_seed(0)).obs))
    context = (num_frames - 1) * 6 if len(worlds.slots) > 64 else 0
    kept = worlds.slots[-64:]
    assert found == complete_codes(worlds, kept[context:])
    assert len(replay) == len(found)


def test_transitions_are_drawn_uniformly(make_worlds, make_replay):
    worlds = make_worlds(2, mean_length=1.5)
    replay = make_replay(60, 2)
    worlds.run(replay, 80)
    codes = replay.sample(40_000, torch.Generator().manual_seed(0)).obs["proprio"].numpy()
    counts = np.unique(codes, axis=0, return_counts=True)[1]
    expected = 40_000 / len(replay)
    assert len(counts) == len(replay)
    assert ((counts - expected) ** 2 / expected).sum() < len(replay) + 4 * np.sqrt(2 * len(replay))


def test_episodes_of_one_step_terminate_at_once(make_worlds, make_replay):
    worlds = make_worlds(2, mean_length=1.0)
    replay = make_replay(40, 2, n_step=3, gamma=GAMMA)
    worlds.run(replay, 30)
    batch = replay.sample(100, torch.Generator().manual_seed(0))
    assert [code[2] for code in codes_of(batch.next_obs)] == [1] * 100
    assert set(np.round(batch.discount.tolist(), 6)) == {0.0, GAMMA}


def test_the_same_generator_state_gives_the_same_batch(make_worlds, make_replay):
    worlds, replay = make_worlds(3), make_replay(80, 3)
    worlds.run(replay, 50)
    first = replay.sample_windows(32, 4, torch.Generator().manual_seed(7))
    again = replay.sample_windows(32, 4, torch.Generator().manual_seed(7))
    other = replay.sample_windows(32, 4, torch.Generator().manual_seed(8))
    assert torch.equal(first.obs["rgb_front"], again.obs["rgb_front"])
    assert not torch.equal(first.obs["proprio"], other.obs["proprio"])


def test_ended_episodes_lead_nowhere(make_worlds, make_replay):
    worlds = make_worlds(2, mean_length=1000.0)
    replay = make_replay(60, 2, n_step=5, gamma=GAMMA)
    worlds.run(replay, 4)
    replay.end_episodes()
    assert len(replay) == 6
    for world in range(2):
        worlds.begin(world, 1)
    worlds.run(replay, 4)
    assert len(replay) == 12
    batch = replay.sample(500, torch.Generator().manual_seed(0))
    for code, after, discount in zip(codes_of(batch.obs), codes_of(batch.next_obs), batch.discount, strict=True):
        assert after == (*code[:2], 3)
        assert discount.item() == pytest.approx(GAMMA ** (3 - code[2]))
