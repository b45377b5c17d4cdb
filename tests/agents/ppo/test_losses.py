import math

import pytest
import torch

from robossl.agents.ppo import losses


def test_nothing_has_moved_at_first() -> None:
    advantage = torch.tensor([1.0, -2.0])
    loss, moved = losses.policy_loss(torch.zeros(2), advantage, 0.2)
    assert loss.item() == pytest.approx(0.5)
    assert moved["approx_kl"].item() == 0.0
    assert moved["clip_fraction"].item() == 0.0


def test_moves_beyond_the_clip_range_earn_nothing_more_and_have_no_gradient() -> None:
    log_ratio = torch.tensor([math.log(2.0), math.log(0.5), math.log(2.0)], requires_grad=True)
    loss, moved = losses.policy_loss(log_ratio, torch.tensor([1.0, -1.0, -1.0]), 0.2)
    loss.backward()
    assert loss.item() == pytest.approx(-(1.2 - 0.8 - 2.0) / 3)
    assert log_ratio.grad.tolist() == pytest.approx([0.0, 0.0, 2.0 / 3])
    assert moved["clip_fraction"].item() == 1.0
    assert moved["approx_kl"].item() == pytest.approx((2 * (1 - math.log(2)) + (-0.5 - math.log(0.5))) / 3)


def test_values_move_no_further_than_their_range() -> None:
    value, old, target = torch.tensor([3.0]), torch.tensor([1.0]), torch.tensor([4.0])
    assert losses.value_loss(value, old, target, None).item() == 1.0
    assert losses.value_loss(value, old, target, 0.5).item() == pytest.approx(2.5**2)


def test_advantages_are_normalised_but_for_a_single_one() -> None:
    normal = losses.normalized(torch.tensor([1.0, 3.0, 5.0]))
    assert normal.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert normal.std().item() == pytest.approx(1.0, abs=1e-6)
    assert losses.normalized(torch.tensor([7.0])).item() == 7.0
