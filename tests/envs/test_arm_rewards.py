import numpy as np
import pytest
import torch

from robossl.envs.tasks import arm_rewards
from robossl.envs.tasks.arm_rewards import tolerance

NUM_WORLDS = 64


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 1.0), (0.02, 1.0), (0.12, 0.5), (0.17, 0.25), (0.22, 0.0), (5.0, 0.0), (-0.05, 0.75), (-0.3, 0.0)],
)
def test_tolerance_falls_from_one_inside_to_zero_at_the_margin(value: float, expected: float) -> None:
    assert tolerance(np, np.array([value]), 0.0, 0.02, 0.2) == pytest.approx(expected)


def test_tolerance_keeps_shape_and_type() -> None:
    shaped = tolerance(np, np.zeros((3, 2), np.float32), -1.0, 1.0, 1.0)
    assert shaped.shape == (3, 2)
    assert shaped.dtype == np.float32


def near(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-0.1, 0.1, (NUM_WORLDS, 3)).astype(np.float32)


def judged(name: str, contact: object = 0.04) -> tuple[tuple, tuple[np.ndarray, np.ndarray]]:
    """Returns the arguments of a task's `judge`, and what it notes."""
    rng = np.random.default_rng(0)
    a, b, c, action = (near(rng) for _ in range(4))
    squeeze = rng.uniform(size=NUM_WORLDS).astype(np.float32)
    arguments = {
        "judge_reach": (a, b, 10 * action, 0.08),
        "judge_push": (a, b, c, 10 * action, contact, 0.08),
        "judge_lift": (a, b, squeeze, 10 * action, 0.08, 0.02, 0.05),
        "judge_peg": (a, b, 10 * action, 0.06, 0.08),
    }[name]
    return arguments, (squeeze > 0.8, np.full(NUM_WORLDS, 0.09, np.float32))


@pytest.mark.parametrize("contact", [0.04, np.linspace(0.02, 0.06, NUM_WORLDS, dtype=np.float32)])
@pytest.mark.parametrize("name", ["judge_reach", "judge_push", "judge_lift", "judge_peg"])
def test_torch_judges_as_numpy_does_and_terms_are_bounded(name: str, contact: object) -> None:
    judge = getattr(arm_rewards, name)
    arguments, noted = judged(name, contact)
    tensors = [torch.tensor(part) if isinstance(part, np.ndarray) else part for part in (*arguments, *noted)]
    *terms, distance = judge(np, *arguments, *noted)
    theirs = judge(torch, *tensors)
    for ours, other in zip((*terms, distance, *noted), (*theirs, *tensors[-2:]), strict=True):
        assert ours.dtype == other.numpy().dtype
        np.testing.assert_allclose(ours, other.numpy(), atol=2e-6)
    assert all((term >= 0).all() and (term <= 1).all() and np.ptp(term) > 0 for term in terms)
    reached, nearest_m = noted
    assert (nearest_m == np.minimum(np.float32(0.09), distance)).all()
    assert 0 < reached.sum() < NUM_WORLDS
