import array_api_compat.torch
import numpy as np
import pytest
import torch

from robossl.envs.tasks.ring_geometry import CAR_RADIUS_M, LENGTH_M, OUTER_M, arc_coordinate
from robossl.envs.tasks.ring_judge import judge

NUM = 4000


def scene(rng: np.random.Generator, *, own_shapes: bool) -> list[np.ndarray]:
    yaw = rng.uniform(0, 2 * np.pi, (NUM, 12))
    quat = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=-1)
    half_m = rng.uniform(0.1, 0.4, ((NUM, 12, 3) if own_shapes else (12, 3)))
    is_box = np.arange(12) % 2 == 0
    shapes = np.where(is_box[:, None], half_m * [1, 1, 0], half_m * [0, 0, 1])
    pose = rng.uniform(-OUTER_M - 0.2, OUTER_M + 0.2, (NUM, 3))
    pose[0] = 0.0  # the centre has no arc coordinate of its own
    found = rng.uniform(size=(NUM, 4)) < 0.02
    return [pose, rng.uniform(-OUTER_M, OUTER_M, (NUM, 12, 3)), quat, shapes, found]


def memory(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "direction": rng.choice([-1.0, 1.0], NUM),
        "arc_m": rng.uniform(0, LENGTH_M, NUM),
        "distance_m": rng.uniform(-9, 9, NUM),
        "decisions": rng.integers(0, 200, NUM).astype(float),
    }


@pytest.mark.parametrize("slack_m", [0.03, 2e-5])
@pytest.mark.parametrize("own_shapes", [False, True])
def test_the_compiled_loop_judges_as_the_array_operations(own_shapes: bool, slack_m: float) -> None:
    rng = np.random.default_rng(0)
    fields, ours = scene(rng, own_shapes=own_shapes), memory(rng)
    theirs = {name: torch.tensor(value) for name, value in ours.items()}
    fields[0][:50, 0] = OUTER_M - CAR_RADIUS_M + rng.uniform(-1.5, 1.5, 50) * slack_m  # at a wall
    here = judge(np, *fields, ours, 0.5, 150, slack_m)
    there = judge(array_api_compat.torch, *(torch.tensor(field) for field in fields), theirs, 0.5, 150, slack_m)
    np.testing.assert_allclose(here.progress, there.progress.numpy(), atol=1e-5)
    for name in ("collision", "collided", "success", "unsure"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name).numpy())
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name].numpy(), atol=1e-9)
    assert 0.1 < here.collided.mean() < 0.9
    assert 0.05 < here.success.mean() < 0.5
    assert len(here.unsure) > 10


def test_a_car_is_judged_by_its_way_and_its_gap() -> None:
    y = np.array([0.0, 0.4, 0.8])
    gap_m = np.array([0.2, 0.01, -0.02])
    pose = np.stack([OUTER_M - CAR_RADIUS_M - gap_m, y, 0 * y], axis=1)
    kept = {"direction": np.ones(3), "distance_m": np.zeros(3), "decisions": np.zeros(3)}
    kept["arc_m"] = arc_coordinate(np, pose[:, 0], y - [0.4, -0.2, 1.0])
    far_away = np.full((3, 1, 3), 50.0), np.tile([1.0, 0, 0, 0], (3, 1, 1)), np.ones((1, 3))
    verdict = judge(np, pose, *far_away, np.zeros((3, 4)), kept, 0.5, 1, 0.03)
    centre_line = 6.5 / pose[:, 0]  # a metre out there is less along the centre line
    np.testing.assert_allclose(verdict.progress, np.clip(np.array([0.8, -0.4, 2.0]) * centre_line, -1, 1), rtol=1e-5)
    assert verdict.collided.tolist() == [False, False, True]
    assert verdict.success.tolist() == [True, True, False]
    assert verdict.unsure.tolist() == [1]
    assert kept["decisions"].tolist() == [1, 1, 1]
    sure = judge(np, pose, *far_away, np.zeros((3, 4)), kept, 0.5, 1, 2e-5)
    assert sure.unsure.tolist() == []
