"""The motion filter's maths for many worlds at once, in numpy and in torch; tests/deploy has its bounds."""

import array_api_compat.torch as torch_xp
import numpy as np
import torch

from robossl.core.motion_filter import MotionBounds, admissible, braking, moved, rate_towards

NUM_WORLDS, NUM_VALUES = 5, 3
NUMBERS = ([-1.0, -2.0, -0.5], [1.0, 0.5, 0.5], [1.0, 2.0, 3.0], [5.0, 2.0, 30.0])


def bounds(xp, of=np.asarray):
    low, high, rate, acceleration = (of(part) for part in NUMBERS)
    return MotionBounds(low=low, high=high, rate=rate, acceleration=acceleration, period_s=0.05)


def walk(xp, targets, kept_in, value, rate):
    path = []
    for i, target in enumerate(targets):
        rate = braking(xp, rate, kept_in) if i % 7 == 6 else rate_towards(xp, target, value, rate, kept_in, scale=0.8)
        value = moved(xp, value, rate, kept_in)
        path.append(value)
    return path


def starts_and_targets():
    generator = np.random.default_rng(0)
    start, rate = generator.uniform(-3, 3, (2, NUM_WORLDS, NUM_VALUES))
    return start, rate, generator.uniform(-3, 3, (40, NUM_WORLDS, NUM_VALUES))


def test_a_world_moves_as_it_would_alone_to_the_last_bit():
    start, rate, targets = starts_and_targets()
    together = walk(np, targets, bounds(np), *admissible(np, start, rate, bounds(np)))
    for world in range(NUM_WORLDS):
        alone = walk(np, targets[:, world], bounds(np), *admissible(np, start[world], rate[world], bounds(np)))
        np.testing.assert_array_equal(np.array(together)[:, world], alone)


def test_torch_says_what_numpy_says():
    start, rate, targets = starts_and_targets()
    expected = walk(np, targets, bounds(np), *admissible(np, start, rate, bounds(np)))
    there = bounds(torch_xp, lambda part: torch.tensor(part, dtype=torch.float64))
    begun = admissible(torch_xp, torch.tensor(start), torch.tensor(rate), there)
    found = walk(torch_xp, torch.tensor(targets), there, *begun)
    np.testing.assert_allclose(torch.stack(found).numpy(), expected, rtol=0, atol=1e-12)
