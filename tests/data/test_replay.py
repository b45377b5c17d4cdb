"""What is written into the replay, and what it refuses."""

import numpy as np
import pytest
import torch
from coded_worlds import assert_observes, codes_of, on_numpy

from robossl.data import Replay

GAMMA = 0.9


def test_whole_episodes_are_sampled_like_steps(make_episode):
    episodes = [make_episode(0, 0, 1), make_episode(1, 3, 6, terminated=False), make_episode(2, 1, 9)]
    replay = Replay.from_episodes(episodes, frame_stack=3, n_step=2, gamma=GAMMA)
    assert len(replay) == 16
    batch = on_numpy(replay.sample(400, torch.Generator().manual_seed(0)))
    lengths = {(0, 0): 1, (1, 3): 6, (2, 1): 9}
    assert set(codes_of(batch.obs)) == {(*name, t) for name, length in lengths.items() for t in range(length)}
    for index, code in enumerate(codes_of(batch.obs)):
        last = min(code[2] + 2, lengths[code[:2]])
        ended = last == lengths[code[:2]] and code[0] != 1
        assert_observes(batch.obs, index, code, 3)
        assert_observes(batch.next_obs, index, (*code[:2], last), 3)
        assert batch.discount[index].item() == pytest.approx(0 if ended else GAMMA ** (last - code[2]))


def test_keys_and_split_choose_what_is_kept(make_episode):
    episodes = [make_episode(world, 0, 5) for world in range(4)]
    replay = Replay.from_episodes(episodes, keys=["proprio"], split=[1, 3])
    batch = replay.sample(200, torch.Generator().manual_seed(0))
    assert list(batch.obs) == ["proprio"]
    assert {code[0] for code in codes_of(batch.obs)} == {1, 3}


def test_the_longest_episode_is_found(make_episode):
    episodes = [make_episode(world, 0, length) for world, length in enumerate((1, 6, 3))]
    assert Replay.from_episodes(episodes).longest_episode == 6
    assert Replay.from_episodes(episodes, split=[0]).longest_episode == 1


def test_the_longest_episode_is_no_longer_than_what_the_ring_kept(make_worlds, make_replay):
    worlds, replay = make_worlds(1), make_replay(12, 1)
    assert replay.longest_episode == 0
    worlds.run(replay, 40)
    start = torch.arange(replay._links.first, replay._links.head)
    real = (replay._links.walk(start, 12).diff(dim=1) != 0).sum(dim=1)
    assert 0 < replay.longest_episode == real.max()


def test_stacked_shapes_are_those_of_the_batches(make_worlds, make_replay):
    worlds, replay = make_worlds(2), make_replay(60, 2, frame_stack=3)
    worlds.run(replay, 20)
    obs = replay.sample_windows(4, 2, torch.Generator()).obs
    found = {key: (tuple(value.shape[2:]), str(value.dtype).removeprefix("torch.")) for key, value in obs.items()}
    assert found == replay.stacked_observation
    assert found["rgb_front"] == ((9, 2, 2), "uint8")


def step(**changes):
    values = {
        "obs": {
            "rgb_front": np.zeros((2, 3, 2, 2), np.uint8),
            "depth_front": np.zeros((2, 1, 2, 2), np.float32),
            "proprio": np.zeros((2, 3), np.float32),
        },
        "action": np.zeros((2, 2), np.float32),
        "reward": np.zeros(2, np.float32),
        "terminated": np.zeros(2, bool),
        "truncated": np.zeros(2, bool),
        "final_ids": np.zeros(0, np.int64),
        "final_obs": {
            "rgb_front": np.zeros((0, 3, 2, 2), np.uint8),
            "depth_front": np.zeros((0, 1, 2, 2), np.float32),
            "proprio": np.zeros((0, 3), np.float32),
        },
    }
    return {**values, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": np.zeros((2, 3), np.float32)}, r"'action' must be float32\[2, 2\]"),
        ({"reward": np.zeros((2, 1), np.float32)}, r"'reward' must be float32\[2\]"),
        ({"terminated": np.array([True, False])}, r"worlds \[0\] ended, but final_ids are \[\]"),
        ({"obs": {**step()["obs"], "rgb_front": np.zeros((2, 3, 2, 2), np.float32)}}, "'obs/rgb_front' must be uint8"),
        ({"obs": {"proprio": np.zeros((2, 3), np.float32)}}, "no observation 'rgb_front'"),
    ],
)
def test_a_wrong_step_is_refused_and_changes_nothing(make_replay, changes, message):
    replay = make_replay(40, 2)
    replay.add(**step())
    with pytest.raises(ValueError, match=message):
        replay.add(**step(**changes))
    replay.add(**step())
    assert len(replay) == 2


def test_tensors_are_stored_like_arrays(make_replay):
    replay = make_replay(40, 2)
    for value in (1, 2):
        arrays = step(reward=np.full(2, value, np.float32))
        arrays["obs"] = {key: torch.from_numpy(array + array.dtype.type(value)) for key, array in arrays["obs"].items()}
        replay.add(**arrays)
    batch = replay.sample(8, torch.Generator())
    assert batch.obs["proprio"].unique().tolist() == [1]
    assert batch.next_obs["rgb_front"].unique().tolist() == [2]


def test_sizes_that_cannot_work_are_refused(make_replay, make_episode):
    with pytest.raises(ValueError, match="at least 24"):
        make_replay(23, 3, frame_stack=3)
    with pytest.raises(ValueError, match="got 1, 0, 1"):
        make_replay(60, 1, frame_stack=0)
    with pytest.raises(ValueError, match="no complete transition"):
        make_replay(60, 2).sample(4, torch.Generator())
    with pytest.raises(ValueError, match="at least one episode"):
        Replay.from_episodes([])
    with pytest.raises(ValueError, match="does not fit into 8 slots"):
        make_replay(8, 1).add_episode(make_episode(0, 0, 8))
    with pytest.raises(ValueError, match="at least one step"):
        Replay.from_episodes([make_episode(0, 0, 3)]).sample_windows(2, 0, torch.Generator())


def test_a_whole_episode_waits_until_no_world_runs(make_replay, make_episode):
    replay = make_replay(60, 2)
    replay.add(**step())
    with pytest.raises(ValueError, match="while no world is running"):
        replay.add_episode(make_episode(0, 0, 3))
    replay.end_episodes()
    replay.add_episode(make_episode(0, 0, 3))
    assert len(replay) == 3


def test_old_episodes_make_room_for_new_ones(make_replay, make_episode):
    replay = make_replay(20, 1, frame_stack=2)
    for number in range(10):
        replay.add_episode(make_episode(0, number, 5))
    batch = replay.sample(300, torch.Generator().manual_seed(0))
    found = set(codes_of(batch.obs))
    assert found == {(0, number, t) for number in (7, 8, 9) for t in range(5)}
    assert len(replay) == 15


def test_the_path_of_other_devices_gives_the_same_batches(make_worlds, make_replay):
    batches = []
    for numpy_views in (True, False):
        worlds, replay = make_worlds(3), make_replay(80, 3, frame_stack=3, n_step=3)
        if not numpy_views:
            replay._columns._views = {}
        worlds.run(replay, 50)
        batches.append(on_numpy(replay.sample(64, torch.Generator().manual_seed(0))))
    for name in ("action", "reward", "discount"):
        np.testing.assert_array_equal(getattr(batches[0], name), getattr(batches[1], name))
    for group in ("obs", "next_obs"):
        one, other = getattr(batches[0], group), getattr(batches[1], group)
        assert all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_batches(make_worlds, make_replay):
    batches = []
    for device in ("cpu", "cuda"):
        worlds, replay = make_worlds(3), make_replay(80, 3, frame_stack=3, n_step=3, device=device)
        worlds.run(replay, 50)
        batches.append(replay.sample(64, torch.Generator().manual_seed(0)))
        batches.append(replay.sample_windows(64, 5, torch.Generator().manual_seed(0)))
    for one, other in ((batches[0], batches[2]), (batches[1], batches[3])):
        assert other.device.type == "cuda"
        assert torch.allclose(one.reward, other.reward.cpu())
        assert all(torch.equal(one.obs[key], other.obs[key].cpu()) for key in one.obs)
