import pytest
import torch

from robossl.core.errors import UserError
from robossl.objectives.inverse_dynamics import InverseDynamics, InverseDynamicsConfig, action_loss
from robossl.objectives.views import ViewConfig

PLAIN = ViewConfig(shift_px=0, jitter=0.0)


def make(encoder, **options):
    torch.manual_seed(0)
    return InverseDynamics(InverseDynamicsConfig(**{"num_steps": 2, "hidden": (16,), **options}), encoder, 2)


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def test_action_loss_of_known_actions():
    predicted = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [9.0, 9.0]]])
    action = torch.tensor([[[0.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    assert action_loss(predicted, action, mask).item() == pytest.approx((0.5 + 2.0 + 0.0) / 3)
    assert action_loss(predicted, action, torch.zeros_like(mask)).item() == 0


def test_loss_and_r2_equal_a_reference_written_out(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(6, 3)
    objective = make(encoder, view=PLAIN)
    windows = dots.cut(windows, 4, 1)
    loss, metrics = objective(encoder, windows, generator())
    z = [encoder.encode_pictures(windows.step(t)) for t in range(3)]
    pairs = [(b, t) for b in range(6) for t in range(2) if (b, t) != (4, 1)]
    predicted = torch.stack([objective.head(torch.cat([z[t][b], z[t + 1][b]])) for b, t in pairs])
    actions = torch.stack([windows.action[b, t] for b, t in pairs])
    expected = ((predicted - actions) ** 2).mean()
    torch.testing.assert_close(loss, expected)
    floor = ((actions - actions.mean(0)) ** 2).mean()
    torch.testing.assert_close(metrics["inverse_dynamics_r2"], (1 - expected / floor).detach())


def test_one_view_is_shared_by_a_window(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(6, 3, step_size=0.0)
    objective = make(encoder, view=ViewConfig(shift_px=3))
    seen = []
    objective.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    objective(encoder, windows, generator())
    first, second = seen[0].chunk(2, dim=-1)
    torch.testing.assert_close(first, second)
    assert not torch.allclose(first[:, 0], encoder.encode_pictures(windows.step(0)))


def test_without_a_real_step_the_loss_is_zero_and_backward_works(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(1, 3)
    loss, _ = make(encoder)(encoder, dots.cut(windows, 0, 0), generator())
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("last", [0, 1])
def test_r2_is_not_told_of_fewer_than_two_actions(dots, last):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(1, 3)
    _, metrics = make(encoder)(encoder, dots.cut(windows, 0, last), generator())
    assert metrics["inverse_dynamics_r2"].isnan()


def test_r2_is_not_told_where_actions_are_all_the_same(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(8, 3)
    windows.action.fill_(0.3)
    assert make(encoder)(encoder, windows, generator())[1]["inverse_dynamics_r2"].isnan()


def test_gradients_reach_encoder_and_head(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(8, 3)
    objective = make(encoder)
    objective(encoder, windows, generator())[0].backward()
    assert all(p.grad.abs().sum() > 0 for p in [*encoder.images.parameters(), *objective.parameters()])


def test_wrong_options_are_refused():
    with pytest.raises(UserError, match="inverse_dynamics: needs"):
        InverseDynamicsConfig(num_steps=0)
