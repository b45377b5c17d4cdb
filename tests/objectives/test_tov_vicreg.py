import math

import pytest
import torch

from robossl.core.errors import UserError
from robossl.objectives.temporal_order import draw_orders
from robossl.objectives.tov_vicreg import TOVVICReg, TOVVICRegConfig
from robossl.objectives.vicreg import covariance_loss, variance_loss
from robossl.objectives.views import ViewConfig

PLAIN = ViewConfig(shift_px=0, jitter=0.0)


def make(encoder, **options):
    torch.manual_seed(0)
    return TOVVICReg(TOVVICRegConfig(**{"gap": 2, "projector": (16, 16), **options}), encoder, 2)


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def test_the_loss_is_the_weighted_sum_of_the_script_s_weights(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(16, 5)
    loss, metrics = make(encoder)(encoder, windows, generator())
    weights = {"invariance": 10, "variance": 10, "covariance": 10, "temporal": 0.1}
    assert metrics.keys() == {f"tov_vicreg_{term}" for term in weights}
    total = sum(weight * metrics[f"tov_vicreg_{term}"].item() for term, weight in weights.items())
    assert loss.item() == pytest.approx(total, rel=1e-5)
    assert metrics["tov_vicreg_invariance"] > 0


def test_terms_equal_a_reference_without_augmentation(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(16, 5)
    objective = make(encoder, view=PLAIN, neighbour_view=PLAIN)
    _, metrics = objective(encoder, windows, generator())
    before, now, after = (encoder.encode_pictures(windows.step(t)) for t in (0, 2, 4))
    projected = objective.projector(now)
    moments = [before, now, after]
    orders, labels = draw_orders(16, generator(), balanced=False, reversal_equivalent=False)
    joined = torch.stack([torch.cat([moments[i][b] for i in orders[b].tolist()]) for b in range(16)])
    logits = joined @ objective.order_head[0].weight[0] + objective.order_head[0].bias
    likelihood = torch.where(labels == 1, logits.sigmoid(), 1 - logits.sigmoid())
    expected = {
        "invariance": torch.zeros(()),
        "variance": variance_loss(projected),
        "covariance": 2 * covariance_loss(projected),
        "temporal": -likelihood.log().mean(),
    }
    for term, value in expected.items():
        torch.testing.assert_close(metrics[f"tov_vicreg_{term}"], value.detach(), atol=1e-5, rtol=1e-4)


def test_still_moments_leave_the_entropy_of_the_labels(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(1024, 5, step_size=0.0)
    objective = make(encoder, view=PLAIN, neighbour_view=PLAIN)
    with torch.no_grad():
        objective.order_head[0].weight.zero_()
        objective.order_head[0].bias.fill_(math.log(5))
        _, metrics = objective(encoder, windows, generator())
    assert metrics["tov_vicreg_temporal"].item() == pytest.approx(0.4506, abs=0.06)


def test_windows_that_end_early_are_left_out(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(16, 5)
    objective = make(encoder)
    kept = type(windows)(
        *(_first(getattr(windows, name), 14) for name in ("obs", "action", "reward", "terminated", "mask"))
    )
    expected, _ = objective(encoder, kept, generator())
    loss, _ = objective(encoder, dots.cut(dots.cut(windows, 14, 3), 15, 0), generator())
    assert torch.equal(loss, expected)


def test_without_a_whole_window_the_loss_is_zero_and_backward_works(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(3, 5)
    for row in range(2):
        windows = dots.cut(windows, row, 3)
    loss, metrics = make(encoder)(encoder, windows, generator())
    loss.backward()
    assert loss.item() == 0
    assert metrics == {}


def test_proprioception_is_not_looked_at_where_there_are_pictures(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(16, 5)
    objective = make(encoder)
    expected, _ = objective(encoder, windows, generator())
    windows.obs["proprio"].add_(100.0)
    assert torch.equal(objective(encoder, windows, generator())[0], expected)


def test_vectors_alone_can_be_learned_from(dots):
    encoder = dots.make_encoder(observation={"proprio": ((2,), "float32")})
    loss, _ = make(encoder)(encoder, dots.dot_windows(16, 5)[0], generator())
    loss.backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_gradients_reach_encoder_and_heads(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(16, 5)
    objective = make(encoder)
    objective(encoder, windows, generator())[0].backward()
    reached = [*encoder.images.parameters(), *objective.order_head.parameters()]
    assert all(parameter.grad.abs().sum() > 0 for parameter in reached)
    assert all(parameter.grad is None for parameter in encoder.vectors.parameters())


@pytest.mark.parametrize("options", [{"gap": 0}, {"projector": ()}])
def test_wrong_options_are_refused(options):
    with pytest.raises(UserError, match="tov_vicreg: needs"):
        TOVVICRegConfig(**options)


def test_window_spans_both_neighbours(dots):
    assert make(dots.make_encoder(), gap=3).window == 7


def _first(value, num):
    return {key: item[:num] for key, item in value.items()} if isinstance(value, dict) else value[:num]
