"""A world for the tests of objectives: actions push a dot over a picture with a fixed background."""

import sys

import pytest
import torch

from robossl.data.batches import WindowBatch
from robossl.nets import EncoderConfig, MultimodalEncoder, seeded_init

HEIGHT, WIDTH = 24, 32
OBSERVATION = {"rgb_top": ((3, HEIGHT, WIDTH), "uint8"), "proprio": ((2,), "float32")}
CONFIG = EncoderConfig(
    channels=(8, 16), kernels=(4, 3), strides=(2, 2), image_features=32, vector_hidden=(8,), vector_features=4
)
ACTION_DIM = 2


@pytest.fixture(scope="session")
def dots():
    """This module."""
    return sys.modules[__name__]


def make_encoder(seed=0, observation=OBSERVATION):
    with seeded_init(seed):
        return MultimodalEncoder(observation, CONFIG)


def dot_windows(batch, steps, seed=0, step_size=0.1):
    """Returns windows without an end, and the dot's positions [B, T, 2] in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(batch, 2, generator=generator)
    actions = torch.rand(batch, steps - 1, 2, generator=generator) * 2 - 1
    positions = [position]
    for t in range(steps - 1):
        position = (position + step_size * actions[:, t]).clamp(0, 1)
        positions.append(position)
    path = torch.stack(positions, dim=1)
    obs = {"rgb_top": draw_dots(path), "proprio": torch.randn(batch, steps, 2, generator=generator)}
    false = torch.zeros(batch, steps - 1, dtype=torch.bool)
    mask = torch.ones(batch, steps, dtype=torch.bool)
    return WindowBatch(obs=obs, action=actions, reward=false.float(), terminated=false, mask=mask), path


def draw_dots(path):
    """Draws dots at [B, T, 2] over one random background: [B, T, 3, H, W] uint8."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    centre_y = path[..., 0, None, None] * (HEIGHT - 9) + 4
    centre_x = path[..., 1, None, None] * (WIDTH - 9) + 4
    dot = torch.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / 8.0)[:, :, None]
    colour = torch.tensor([1.0, 0.5, 0.1])[:, None, None]
    background = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(99))
    return (255 * (background * (1 - dot) + colour * dot)).to(torch.uint8)


def cut(windows, row, last):
    """Returns the windows with `row` ending at step `last`, as a sampler pads it, and garbage in the padding."""
    mask, action = windows.mask.clone(), windows.action.clone()
    mask[row, last + 1 :] = False
    action[row, last:] = 7.0
    obs = {key: value.clone() for key, value in windows.obs.items()}
    obs["rgb_top"][row, last + 1 :] = 255 - obs["rgb_top"][row, last + 1 :]
    return WindowBatch(obs=obs, action=action, reward=windows.reward, terminated=windows.terminated, mask=mask)
