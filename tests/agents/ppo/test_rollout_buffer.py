import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer as ReferenceBuffer

from robossl.agents.observations import observation_shapes
from robossl.agents.ppo.rollout_buffer import RolloutBuffer
from robossl.nets import EncoderConfig, MultimodalEncoder

SPACE = spaces.Dict(
    {"rgb_front": spaces.Box(0, 255, (3, 4, 4), np.uint8), "proprio": spaces.Box(-1, 1, (2,), np.float32)}
)


def make(
    num_steps: int, num_worlds: int, *, gamma: float = 0.5, gae_lambda: float = 0.5, space: spaces.Dict = SPACE
) -> RolloutBuffer:
    device = torch.device("cpu")
    return RolloutBuffer(num_steps, space, 1, num_worlds=num_worlds, gamma=gamma, gae_lambda=gae_lambda, device=device)


def filled(num_steps: int, num_worlds: int, done: np.ndarray) -> RolloutBuffer:
    """Step t of world n shows (t, n) in `proprio`, t * N + n in every pixel, and has action = reward = t / 10."""
    buffer = make(num_steps, num_worlds)
    for t in range(num_steps):
        world = np.arange(num_worlds)
        pixels = np.broadcast_to((t * num_worlds + world)[:, None, None, None], (num_worlds, 3, 4, 4))
        obs = {
            "rgb_front": pixels.astype(np.uint8),
            "proprio": np.stack([np.full(num_worlds, t), world], axis=1).astype(np.float32),
        }
        number = np.full((num_worlds, 1), t / 10, np.float32)
        buffer.add(obs, number, number[:, 0], done[t], torch.zeros(num_worlds), torch.zeros(num_worlds))
    return buffer


def test_vectors_are_what_an_encoder_normalises() -> None:
    space = spaces.Dict({**SPACE, "force_torque": spaces.Box(-1, 1, (16, 6), np.float32)})
    encoder = MultimodalEncoder(observation_shapes(space), EncoderConfig(channels=(2,), kernels=(2,), strides=(2,)))
    buffer = make(1, 2, space=space)
    obs = {key: np.ones((2, *box.shape), box.dtype) for key, box in space.items()}
    buffer.add(obs, np.zeros((2, 1)), np.zeros(2), np.zeros(2, bool), torch.zeros(2), torch.zeros(2))
    assert set(buffer.vectors()) == {"proprio", "force_torque"}
    encoder.observe(buffer.vectors())
    torch.testing.assert_close(encoder.vector_norm.mean, torch.ones(2 + 16 * 6))


def test_windows_tell_how_many_frames_a_picture_stacks() -> None:
    sizes = {"num_worlds": 1, "gamma": 0.5, "gae_lambda": 0.5, "device": torch.device("cpu")}
    generator = torch.Generator().manual_seed(0)
    space = spaces.Dict({"camera": spaces.Box(0, 255, (3, 4, 4), np.uint8)})
    for frame_stack, coloured in ((3, ()), (1, ("camera",))):
        buffer = RolloutBuffer(4, space, 1, frame_stack=frame_stack, **sizes)
        assert buffer.windows(2, 2, generator).coloured == coloured


def test_advantages_by_hand() -> None:
    buffer = make(3, 1)
    obs = {key: np.zeros((1, *box.shape), box.dtype) for key, box in SPACE.items()}
    for reward, done in ((1.0, False), (2.0, True), (3.0, False)):
        buffer.add(obs, np.zeros((1, 1)), np.array([reward]), np.array([done]), torch.full((1,), 0.5), torch.zeros(1))
    buffer.compute_returns_and_advantage(torch.full((1,), 0.5))
    # delta_2 = 3 + 0.25 - 0.5; delta_1 = 2 - 0.5, the episode ends; delta_0 = 1 + 0.25 - 0.5, and 0.25 delta_1
    torch.testing.assert_close(buffer.advantage[:, 0], torch.tensor([0.75 + 0.25 * 1.5, 1.5, 2.75]))
    torch.testing.assert_close(buffer.returns, buffer.advantage + 0.5)


def test_advantages_are_sb3s() -> None:
    rng = np.random.default_rng(0)
    num_steps, num_worlds = 12, 5
    buffer = make(num_steps, num_worlds, gamma=0.9, gae_lambda=0.8)
    reference = ReferenceBuffer(
        num_steps, spaces.Box(-1, 1, (1,)), spaces.Box(-1, 1, (1,)), gamma=0.9, gae_lambda=0.8, n_envs=num_worlds
    )
    obs = {key: np.zeros((num_worlds, *box.shape), box.dtype) for key, box in SPACE.items()}
    starts = np.ones(num_worlds)
    for _ in range(num_steps):
        reward, done = rng.normal(size=num_worlds).astype(np.float32), rng.random(num_worlds) < 0.3
        value = torch.from_numpy(rng.normal(size=num_worlds).astype(np.float32))
        buffer.add(obs, np.zeros((num_worlds, 1)), reward, done, value, torch.zeros(num_worlds))
        nothing = np.zeros((num_worlds, 1))
        reference.add(nothing, nothing, reward, starts, value, torch.zeros(num_worlds))
        starts = done
    last = torch.from_numpy(rng.normal(size=num_worlds).astype(np.float32))
    buffer.compute_returns_and_advantage(last)
    reference.compute_returns_and_advantage(last, done)
    np.testing.assert_allclose(buffer.advantage.numpy(), reference.advantages, atol=1e-6)
    np.testing.assert_allclose(buffer.returns.numpy(), reference.returns, atol=1e-6)


def test_batches_cover_every_step_once_in_its_own_dtype() -> None:
    buffer = filled(5, 3, np.zeros((5, 3), bool))
    batches = [buffer.batch(rows) for rows in buffer.shuffled(4, torch.Generator().manual_seed(0))]
    assert [len(batch.action) for batch in batches] == [4, 4, 4, 3]
    assert batches[0].obs["rgb_front"].dtype == torch.uint8
    row = torch.cat([batch.obs["rgb_front"][:, 0, 0, 0] for batch in batches])
    assert row.tolist() != list(range(15))
    assert sorted(row.tolist()) == list(range(15))
    step = torch.cat([batch.obs["proprio"][:, 0] for batch in batches])
    torch.testing.assert_close(step, row.float().div(3, rounding_mode="floor"))
    torch.testing.assert_close(torch.cat([batch.action[:, 0] for batch in batches]), step / 10)


def test_windows_stay_in_one_episode_and_one_world() -> None:
    done = np.zeros((9, 4), bool)
    done[4, 1] = done[2, 2] = done[3, 2] = True
    windows = filled(9, 4, done).windows(400, 4, torch.Generator().manual_seed(0))
    step, world = windows.obs["proprio"].unbind(-1)
    assert (world == world[:, :1]).all()
    lengths = []
    for row in range(400):
        start, n, length = int(step[row, 0]), int(world[row, 0]), int(windows.mask[row].sum())
        ends = np.flatnonzero(done[start : start + 3, n])
        lengths.append(length)
        assert length == (ends[0] + 1 if len(ends) else 4)
        assert windows.mask[row].tolist() == [True] * length + [False] * (4 - length)
        real = [start + k for k in range(length)]
        assert step[row].tolist() == real + [real[-1]] * (4 - length)
        acted = [t / 10 for t in real[:-1]] + [0.0] * (4 - length)
        assert windows.action[row, :, 0].tolist() == pytest.approx(acted)
        assert windows.reward[row].tolist() == pytest.approx(acted)
    assert set(lengths) == {1, 2, 3, 4}
    assert not windows.terminated.any()
    torch.testing.assert_close(windows.obs["rgb_front"][:, :, 0, 0, 0].float(), step * 4 + world)


def test_windows_show_actions_as_the_world_got_them() -> None:
    buffer = filled(2, 1, np.zeros((2, 1), bool))
    obs = {key: np.zeros((1, *box.shape), box.dtype) for key, box in SPACE.items()}
    buffer.reset()
    for _ in range(2):
        buffer.add(obs, np.full((1, 1), 3.0), np.zeros(1), np.zeros(1, bool), torch.zeros(1), torch.zeros(1))
    assert buffer.windows(1, 2, torch.Generator().manual_seed(0)).action.item() == 1.0
    first, *_ = buffer.shuffled(2, torch.Generator().manual_seed(0))
    assert buffer.batch(first).action[0].item() == 3.0


def test_windows_longer_than_the_rollout_are_refused() -> None:
    with pytest.raises(ValueError, match="windows of 4 steps do not fit into a rollout of 3"):
        make(3, 1).windows(1, 4, torch.Generator())
