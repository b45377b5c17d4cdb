"""Speed and size of the replay: frames per second of window sampling, and bytes beside SB3's ReplayBuffer."""

import time
from statistics import median

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer

from robossl.core import ArraySpec
from robossl.data import Replay

IMAGE_SIZE_PX = 64
NUM_WORLDS = 16
EPISODE_LENGTH = 200
ACTION_DIM = 2


def run(*, batch_size: int = 256, window: int = 8, frame_stack: int = 3, num_repeats: int = 20) -> dict[str, float]:
    """Measures both.

    Args:
        batch_size: windows per batch.
        window: observations per window, single frames.
        frame_stack: frames per observation where bytes are compared.
        num_repeats: batches timed; the median counts.

    Returns:
        Frames per second of `sample_windows`, bytes per transition here and in SB3, and their ratio.
    """
    own, theirs = bytes_per_transition(frame_stack), sb3_bytes_per_transition(frame_stack)
    return {
        "window_frames_per_s": window_frames_per_s(batch_size, window, num_repeats),
        "bytes_per_transition": own,
        "sb3_bytes_per_transition": theirs,
        "bytes_ratio": own / theirs,
    }


def window_frames_per_s(batch_size: int, window: int, num_repeats: int) -> float:
    """Returns how many frames a second `sample_windows` gathers from a replay far larger than the caches."""
    replay = filled_replay(num_episodes=6, frame_stack=1)
    generator = torch.Generator().manual_seed(0)
    seconds = []
    for _ in range(num_repeats + 1):
        start = time.perf_counter()
        replay.sample_windows(batch_size, window, generator)
        seconds.append(time.perf_counter() - start)
    return batch_size * window / median(seconds[1:])


def bytes_per_transition(frame_stack: int) -> float:
    """Returns the bytes that one transition takes in a replay full of equally long episodes."""
    replay = filled_replay(num_episodes=1, frame_stack=frame_stack)
    return replay.num_bytes / len(replay)


def sb3_bytes_per_transition(frame_stack: int) -> float:
    """Returns the bytes that one transition takes in SB3's ReplayBuffer."""
    size = 64
    stacked = spaces.Box(0, 255, (3 * frame_stack, IMAGE_SIZE_PX, IMAGE_SIZE_PX), np.uint8)
    buffer = ReplayBuffer(size, stacked, spaces.Box(-1, 1, (ACTION_DIM,)), device="cpu")
    return sum(array.nbytes for array in vars(buffer).values() if isinstance(array, np.ndarray)) / size


def filled_replay(*, num_episodes: int, frame_stack: int) -> Replay:
    """Returns a replay exactly filled with random pictures, `num_episodes` per world."""
    observation = {"rgb_front": ArraySpec(shape=(3, IMAGE_SIZE_PX, IMAGE_SIZE_PX), dtype="uint8")}
    capacity = num_episodes * NUM_WORLDS * (EPISODE_LENGTH + 1)
    replay = Replay(capacity, observation, ACTION_DIM, num_worlds=NUM_WORLDS, frame_stack=frame_stack)
    rng = np.random.default_rng(0)
    everyone, nobody = np.arange(NUM_WORLDS), np.arange(0)
    pictures = rng.integers(256, size=(NUM_WORLDS, *observation["rgb_front"].shape), dtype=np.uint8)
    action, reward = np.zeros((NUM_WORLDS, ACTION_DIM), np.float32), np.zeros(NUM_WORLDS, np.float32)
    for step in range(num_episodes * EPISODE_LENGTH):
        ends = (step + 1) % EPISODE_LENGTH == 0
        terminated, truncated = np.zeros(NUM_WORLDS, bool), np.full(NUM_WORLDS, ends)
        final_ids = everyone if ends else nobody
        obs, final_obs = {"rgb_front": pictures}, {"rgb_front": pictures[final_ids]}
        replay.add(obs, action, reward, terminated, truncated, final_ids, final_obs)
    return replay
