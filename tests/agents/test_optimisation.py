import pytest
import torch
from torch import nn

from robossl.agents import optimisation
from robossl.nets.optimisers import adam, set_learning_rates


def test_schedules_are_constant_or_fall_linearly_to_zero() -> None:
    assert optimisation.make_schedule(3e-4, "constant") == 3e-4
    linear = optimisation.make_schedule(3e-4, "linear")
    assert [linear(progress) for progress in (1.0, 0.5, 0.0)] == pytest.approx([3e-4, 1.5e-4, 0.0])


def test_the_encoder_keeps_its_ratio_to_the_schedule() -> None:
    heads, encoder = nn.Linear(2, 2), nn.Linear(2, 2)
    groups = optimisation.parameter_groups(heads.parameters(), encoder, learning_rate=1e-3, encoder_rate=1e-4)
    optimizer = adam(groups, 1e-3)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-4])
    set_learning_rates([optimizer], 5e-4)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([5e-4, 5e-5])


def test_a_frozen_or_empty_encoder_is_left_out() -> None:
    heads = nn.Linear(2, 2)
    for encoder in (nn.Linear(2, 2).requires_grad_(False), nn.Identity()):
        groups = optimisation.parameter_groups(heads.parameters(), encoder, learning_rate=1e-3, encoder_rate=None)
        assert len(groups) == 1


def test_gradients_are_clipped_together() -> None:
    weight = nn.Parameter(torch.zeros(4))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    optimisation.step((100.0 * weight).sum(), optimizer, None, max_grad_norm=1.0)
    torch.testing.assert_close(weight.detach(), torch.full((4,), -0.5))


def test_gradients_of_the_last_step_are_forgotten() -> None:
    weight = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for _ in range(2):
        optimisation.step(weight * 1.0, optimizer, None, max_grad_norm=None)
    assert weight.item() == -2.0
